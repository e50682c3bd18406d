-- Named queries of the store: `-- name: what :one|many|none`. Placeholders are psycopg's.

-- name: message_put :one
select stored, stored_at, expires, known_checksum from bus.message_put(
    %(id)b, %(created)b::timestamptz, %(ttl)b::double precision, %(raw_size)b, %(stored_size)b,
    %(chunks)b, %(kind)b, %(packing)b, %(mime)b, %(owner)b, %(tool)b, %(session)b, %(request)b,
    %(raw_digest)b, %(stored_digest)b, %(extra)b, %(body)b::bytea)

-- name: message_put_many :many
select put, coalesce(%(created)b::timestamptz, now()) from bus.message_put_many(
    %(ids)b, %(created)b::timestamptz, %(ttl)b::double precision, %(raw_sizes)b::bigint[],
    %(raw_digests)b::bytea[], %(stored_digests)b::bytea[], %(bodies)b::bytea[],
    %(sorts)b::integer[], %(kinds)b::text[], %(packings)b::text[], %(mimes)b::text[],
    %(owners)b::text[], %(tools)b::text[], %(sessions)b::text[], %(requests)b::text[],
    %(extras)b::jsonb[]) put

-- name: message_get :one
select raw_size, stored_size, chunks, packing, mime, principal, raw_digest, stored_digest, live,
       expires, kind, duration_ms, body, incomplete
from bus.message_get(%(id)b)

-- name: chunk_get :many
copy (
    select seq, raw_size, raw_checksum, stored_checksum, body
    from bus.chunk_get('{id}', {first}, {last})
) to stdout (format binary)

-- name: message_arrived :one
select payload_size_bytes, stored_size_bytes, chunk_count, checksum::bytea, stored_checksum::bytea,
       message_type::text, compression::text, content_type, owner, tool_name, session_id,
       request_id, metadata, pg_catalog.sha256(payload),
       array(select chunk.raw_checksum::bytea || pg_catalog.sha256(chunk.body)
             from bus.message_chunk chunk
             where chunk.transaction_id = message.transaction_id order by chunk.seq)
from bus.message_bus message where transaction_id = %(id)b

-- name: record_deliveries :one
select bus.record_deliveries(
    %(ids)b, %(moments)b::timestamptz[], %(durations)b::real[], %(hops)b::text[],
    %(details)b::jsonb[])

-- name: request_begin :one
select mine, answer_id, done from bus.request_begin(
    %(owner)b, %(session)b, %(request)b, %(id)b, %(daemon)b, %(lease)b::double precision,
    %(ttl)b::double precision)

-- name: request_renew :one
select bus.request_renew(
    %(owner)b, %(session)b, %(request)b, %(daemon)b, %(lease)b::double precision, %(answered)b)

-- name: chunk_insert :none
insert into bus.message_chunk
    (transaction_id, seq, raw_size, raw_checksum, stored_checksum, body)
values (%b, %b, %b, %b, %b, %b)

-- name: message_stat :one
select transaction_id, created_at, expires_at, message_type::text, content_type, tool_name,
       session_id, request_id, owner, metadata, payload_size_bytes, checksum, compression::text,
       stored_size_bytes, stored_checksum, chunk_count, status::text, retrieved_at,
       retrieved_count, pinned, write_duration_ms, read_duration_ms, now()
from bus.message_bus where transaction_id = %(id)b

-- name: message_list :many
select transaction_id, created_at, expires_at, message_type::text, content_type, tool_name,
       session_id, request_id, owner, metadata, payload_size_bytes, checksum, compression::text,
       stored_size_bytes, stored_checksum, chunk_count, status::text, retrieved_at,
       retrieved_count, pinned, write_duration_ms, read_duration_ms, now()
from bus.message_bus
where {where}
order by transaction_id {direction}
limit %(limit)b::integer

-- name: message_retain :one
update bus.message_bus
set pinned = coalesce(%(pinned)b::boolean, pinned),
    expires_at = coalesce(now() + make_interval(secs => %(ttl)b::double precision), expires_at)
where transaction_id = %(id)b
returning transaction_id

-- name: message_remove :one
delete from bus.message_bus where transaction_id = %(id)b
returning payload_size_bytes, encode(checksum, 'hex')

-- name: chunk_remove :none
delete from bus.message_chunk where transaction_id = %(id)b

-- name: event_insert :none
insert into bus.message_event (transaction_id, at, kind, hop, detail)
select id, at, kind, hop, detail
from unnest(%(ids)b, %(moments)b::timestamptz[], %(kinds)b::text[], %(hops)b::text[],
            %(details)b::jsonb[]) as event (id, at, kind, hop, detail)

-- name: record_events :one
select bus.record_events(
    %(ids)b, %(moments)b::timestamptz[], %(kinds)b::text[], %(hops)b::text[],
    %(details)b::jsonb[])

-- name: event_list :many
select transaction_id, at, kind, hop, detail from bus.message_event
where transaction_id = %(id)b order by at

-- name: ensure_partitions :one
select bus.ensure_partitions(%(first)b::timestamptz, %(last)b::timestamptz)

-- name: partition_list :many
select parent, partition, lower_bound, upper_bound, estimated_rows, bytes
from bus.partitions order by lower_bound, parent

-- name: ping :one
select 1

-- name: database_bytes :one
select pg_catalog.pg_database_size(pg_catalog.current_database())
