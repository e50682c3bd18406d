-- Cleanup. Messages are reached through the parents, whose row-level policies apply: a partition
-- has none of its own, so it shows nothing when named directly. {span} is a range of ids written
-- out, which leaves one partition at planning time; {table} is one detached partition.

-- name: retention_lock :one
-- The transaction stays open for the whole run without a snapshot: it holds back no vacuum.
select pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('busctl.cleanup'))

-- name: retention_lock_lives :none
-- transaction_timeout is known from PostgreSQL 17 on.
select pg_catalog.set_config(name, '0', true) from pg_catalog.pg_settings
where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')

-- name: retention_now :one
select pg_catalog.now()

-- name: retention_partitions :many
select parent, partition, lower_bound, upper_bound, estimated_rows, bytes, true
from bus.partitions where bytes is not null
union all
select half.part[1], half.partition, half.lower_bound,
       half.lower_bound + bus.partition_width(half.part[1]), half.estimated_rows, half.bytes, false
from (
    select part, child.relname::text as partition,
           pg_catalog.make_timestamptz(
               part[2]::integer, part[3]::integer, part[4]::integer,
               coalesce(part[5], '0')::integer, 0, 0, 'UTC') as lower_bound,
           child.reltuples::bigint as estimated_rows,
           pg_catalog.pg_total_relation_size(child.oid) as bytes
    from pg_catalog.pg_class child
    cross join lateral pg_catalog.regexp_match(child.relname,
        '^(message_bus|message_chunk|message_event)_p(\d{4})(\d\d)(\d\d)(?:h(\d\d))?$') as part
    where child.relnamespace = 'bus'::pg_catalog.regnamespace and child.relkind = 'r'
      and child.relowner = 'bus_janitor'::pg_catalog.regrole and part is not null
      and not exists (select from pg_catalog.pg_inherits link
                      where link.inhrelid = child.oid and not link.inhdetachpending)
) half
where half.bytes is not null
order by 3, 1

-- name: retention_states :many
select child.relname::text,
       case when link.inhrelid is null then 'detached'
            when link.inhdetachpending then 'pending' else 'attached' end
from pg_catalog.pg_class child
left join pg_catalog.pg_inherits link on link.inhrelid = child.oid
where child.relnamespace = 'bus'::pg_catalog.regnamespace
  and child.relname = any (%(names)b::text[])

-- name: retention_contents :one
select exists (select from bus.message_bus where {span} and pinned),
       exists (select from bus.message_bus
               where {span} and expires_at <= %(now)b::timestamptz and not pinned),
       exists (select from bus.message_bus
               where {span} and expires_at > %(now)b::timestamptz and not pinned),
       exists (select from bus.message_bus
               where {span} and expires_at > %(later)b::timestamptz and not pinned)

-- name: retention_live :one
select exists (select from bus.message_bus
               where {span} and (pinned or expires_at > %(now)b::timestamptz))

-- name: retention_live_in :one
select exists (select from bus.{table} where pinned or expires_at > %(now)b::timestamptz)

-- name: expired_count :one
select count(*), coalesce(sum(payload_size_bytes), 0)::bigint,
       coalesce(sum(stored_size_bytes), 0)::bigint
from bus.message_bus where {span} and expires_at <= %(now)b::timestamptz and not pinned

-- name: expired_count_in :one
select count(*), coalesce(sum(payload_size_bytes), 0)::bigint,
       coalesce(sum(stored_size_bytes), 0)::bigint
from bus.{table} where expires_at <= %(now)b::timestamptz and not pinned

-- name: expired_delete :one
with doomed as materialized (
    select transaction_id, ctid from bus.message_bus
    where {span} and transaction_id > %(after)b::uuid
      and expires_at <= %(now)b::timestamptz and not pinned
    order by transaction_id limit %(batch)b::integer
    for update skip locked
), gone as (
    delete from bus.message_bus
    where {span} and ctid = any (array(select doomed.ctid from doomed))
    returning transaction_id, payload_size_bytes, stored_size_bytes, chunk_count, checksum
), chunks as (
    delete from bus.message_chunk
    where {span} and transaction_id = any (
        array(select gone.transaction_id from gone where gone.chunk_count > 0))
), trail as (
    insert into bus.message_event (transaction_id, kind, hop, detail)
    select transaction_id, 'expired', 'store', jsonb_build_object(
        'size', payload_size_bytes, 'checksum', encode(checksum, 'hex'))
    from gone
)
select count(*), coalesce(sum(payload_size_bytes), 0)::bigint,
       coalesce(sum(stored_size_bytes), 0)::bigint,
       (select case when count(*) = %(batch)b::integer
                    then (array_agg(doomed.transaction_id order by doomed.transaction_id desc))[1]
               end from doomed)
from gone

-- name: events_ready :one
select bus.ensure_partitions_of(
    'message_event', %(first)b::timestamptz, %(last)b::timestamptz)

-- name: partition_bytes :one
select coalesce(sum(pg_catalog.pg_total_relation_size(child.oid)), 0)::bigint
from pg_catalog.pg_class child
where child.relnamespace = 'bus'::pg_catalog.regnamespace
  and child.relname = any (%(names)b::text[])

-- name: partition_expired_event :none
insert into bus.message_event (transaction_id, kind, hop, detail)
values (bus.first_id(%(lower)b::timestamptz), 'expired', 'store', %(detail)b)

-- name: detach_leftover_checks :many
-- DETACH CONCURRENTLY leaves the partition's bounds behind as a check constraint.
select own.conname::text from pg_catalog.pg_constraint own
where own.conrelid = (%(table)b::text)::pg_catalog.regclass and own.contype = 'c'
  and not exists (
      select from pg_catalog.pg_constraint shared
      where shared.conrelid = (%(parent)b::text)::pg_catalog.regclass and shared.contype = 'c'
        and shared.conname = own.conname)

-- name: request_count :one
select count(*) from bus.request where expires_at <= %(now)b::timestamptz

-- name: request_delete :one
with gone as (
    delete from bus.request where ctid = any (array(
        select ctid from bus.request where expires_at <= %(now)b::timestamptz
        limit %(batch)b::integer for update skip locked))
    returning 1)
select count(*) from gone

-- name: forgettable_count :one
select (select count(*) from bus.system_event where at < %(before)b::timestamptz),
       (select count(*) from bus.token
        where least(revoked_at, expires_at) < %(before)b::timestamptz)

-- name: forget :one
select system_events, tokens from bus.forget(%(before)b::timestamptz)

-- name: upkeep_done :one
insert into bus.upkeep (task, at, detail) values (%(task)b, now(), %(detail)b)
on conflict (task) do update set at = excluded.at, detail = excluded.detail
returning at

-- name: partition_holding :one
select count(*), count(*) filter (where status = 'delivered' and not pinned),
       count(*) filter (where pinned),
       coalesce(sum(payload_size_bytes) filter (where not pinned), 0)::bigint,
       coalesce(sum(stored_size_bytes) filter (where not pinned), 0)::bigint
from bus.message_bus where {span}

-- name: oldest_delete :one
with doomed as materialized (
    select transaction_id, ctid from bus.message_bus
    where {span} and not pinned and (status = 'delivered') = %(delivered)b::boolean
    order by transaction_id limit %(batch)b::integer
    for update skip locked
), gone as (
    delete from bus.message_bus
    where {span} and ctid = any (array(select doomed.ctid from doomed))
    returning transaction_id, payload_size_bytes, stored_size_bytes, chunk_count, checksum
), chunks as (
    delete from bus.message_chunk
    where {span} and transaction_id = any (
        array(select gone.transaction_id from gone where gone.chunk_count > 0))
), trail as (
    insert into bus.message_event (transaction_id, kind, hop, detail)
    select transaction_id, 'removed', 'store', jsonb_build_object(
        'size', payload_size_bytes, 'checksum', encode(checksum, 'hex'), 'reason', 'byte budget')
    from gone
)
select count(*), coalesce(sum(payload_size_bytes), 0)::bigint,
       coalesce(sum(stored_size_bytes), 0)::bigint,
       (select case when count(*) = %(batch)b::integer
                    then (array_agg(doomed.transaction_id order by doomed.transaction_id desc))[1]
               end from doomed)
from gone
