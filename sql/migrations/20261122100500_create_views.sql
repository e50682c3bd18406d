-- What people and dashboards read. security_invoker: a view shows what its reader may see.

create view bus.messages with (security_invoker = true) as
select transaction_id, created_at, expires_at,
       case when not pinned and expires_at <= pg_catalog.now() then 'expired'
            else status::text end as status,
       message_type::text as message_type, tool_name, session_id, request_id, owner, content_type,
       payload_size_bytes, pg_catalog.pg_size_pretty(payload_size_bytes) as size,
       stored_size_bytes, compression::text as compression, chunk_count, pinned,
       retrieved_at, retrieved_count, write_duration_ms, read_duration_ms,
       pg_catalog.encode(checksum, 'hex') as checksum,
       pg_catalog.encode(stored_checksum, 'hex') as stored_checksum, metadata,
       pg_catalog.date_trunc('second', pg_catalog.now() - created_at) as age
from bus.message_bus;
comment on view bus.messages is 'Every message without its bytes, for people: sizes, digests, state.';

create view bus.message_history with (security_invoker = true) as
select transaction_id, at, kind, hop, detail from bus.message_event;
comment on view bus.message_history is 'The audit trail; filter by transaction_id.';

create view bus.tool_activity with (security_invoker = true) as
select tool_name, message_type::text as message_type, count(*) as messages,
       sum(payload_size_bytes) as payload_bytes, sum(stored_size_bytes) as stored_bytes,
       max(payload_size_bytes) as largest_payload_bytes,
       pg_catalog.sum(retrieved_count) as deliveries, max(created_at) as last_at
from bus.message_bus
where transaction_id >= bus.first_id(pg_catalog.now() - interval '24 hours')
group by tool_name, message_type;
comment on view bus.tool_activity is 'Messages and bytes of each tool over the last 24 hours.';

create view bus.storage with (security_invoker = true) as
select parent, count(*) as partitions, min(lower_bound) as first_bound,
       max(upper_bound) as last_bound, sum(bytes)::bigint as bytes,
       pg_catalog.pg_size_pretty(sum(bytes)) as size
from bus.partitions group by parent;
comment on view bus.storage is 'Partitions and bytes of each partitioned table.';

revoke all on bus.messages, bus.message_history, bus.tool_activity, bus.storage from public;
grant select on bus.messages, bus.message_history, bus.tool_activity, bus.storage to bus_reader;
