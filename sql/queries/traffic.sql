-- Traffic by the minute, for dashboards.

-- name: traffic_refresh :one
-- Minutes [first, last) counted anew, each by a range of the primary key. Doing it again changes
-- nothing; what has been removed meanwhile is not taken out again. What watchers say of messages is
-- not traffic. One at a time: whoever comes second leaves it.
with turn as (
    select pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('bus.traffic')) as mine
), counted as (
    insert into bus.traffic as known (
        minute, owner, tool_name, messages, errors, payload_bytes, stored_bytes, largest_bytes,
        deliveries, write_ms, p95_ms, up_to_1kb, up_to_10kb, up_to_100kb, up_to_1mb, up_to_10mb,
        over_10mb)
    select span.minute, part.*
    from turn, pg_catalog.generate_series(
        date_trunc('minute', %(first)b::timestamptz), %(last)b::timestamptz - interval '1 us',
        interval '1 minute') as span (minute)
    cross join lateral (
        select owner, coalesce(tool_name, ''), count(*), count(*) filter (where message_type = 'error'),
               sum(payload_size_bytes), sum(stored_size_bytes), max(payload_size_bytes),
               sum(retrieved_count), coalesce(sum(write_duration_ms), 0),
               coalesce(percentile_cont(0.95) within group (order by write_duration_ms), 0),
               count(*) filter (where payload_size_bytes <= 1000),
               count(*) filter (where payload_size_bytes > 1000 and payload_size_bytes <= 10000),
               count(*) filter (where payload_size_bytes > 10000 and payload_size_bytes <= 100000),
               count(*) filter (
                   where payload_size_bytes > 100000 and payload_size_bytes <= 1000000),
               count(*) filter (
                   where payload_size_bytes > 1000000 and payload_size_bytes <= 10000000),
               count(*) filter (where payload_size_bytes > 10000000)
        from bus.message_bus message
        where message.transaction_id >= bus.first_id(span.minute)
          and message.transaction_id < bus.first_id(span.minute + interval '1 minute')
          and message.message_type <> 'watcher_observation'
        group by 1, 2
    ) part
    where turn.mine
    on conflict (minute, owner, tool_name) do update set
        messages = excluded.messages, errors = excluded.errors,
        payload_bytes = excluded.payload_bytes, stored_bytes = excluded.stored_bytes,
        largest_bytes = excluded.largest_bytes, deliveries = excluded.deliveries,
        write_ms = excluded.write_ms, p95_ms = excluded.p95_ms, up_to_1kb = excluded.up_to_1kb,
        up_to_10kb = excluded.up_to_10kb, up_to_100kb = excluded.up_to_100kb,
        up_to_1mb = excluded.up_to_1mb, up_to_10mb = excluded.up_to_10mb,
        over_10mb = excluded.over_10mb
    where excluded.messages >= known.messages
      and (excluded.messages, excluded.deliveries) <> (known.messages, known.deliveries)
    returning 1
), gone as (
    delete from bus.traffic where minute < now() - interval '8 days'
)
select count(*) from counted

-- name: flow_steps :many
select at, messages, errors, payload_bytes, stored_bytes, largest_bytes, deliveries, mean_ms,
       p95_ms
from bus.flow(%(span)b::interval, %(step)b::interval, %(owner)b::text)

-- name: flow_tools :many
select tool_name, messages, errors, payload_bytes, stored_bytes, largest_bytes, deliveries,
       mean_ms, up_to_1kb, up_to_10kb, up_to_100kb, up_to_1mb, up_to_10mb, over_10mb
from bus.tool_flow(%(span)b::interval, %(owner)b::text)

-- name: flow_fallbacks :many
-- Told by the daemons; those of one that cannot reach the store come when it can.
select kind, coalesce(sum((detail ->> 'messages')::bigint), count(*))::bigint
from bus.system_event
where at >= now() - %(span)b::interval and kind in ('fell_back', 'reconciled')
group by kind
