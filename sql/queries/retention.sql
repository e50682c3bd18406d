-- name: partition_last_expiry :one
select case when exists (select from bus.{partition} where pinned)
            then timestamptz '9999-12-31 23:59:59+00'
            else (select max(expires_at) from bus.{partition}) end

-- name: partition_has_live :one
select exists (select from bus.{partition} where pinned)
    or exists (select from bus.{partition} where expires_at > now())

-- name: partition_expired :one
select count(*), coalesce(sum(stored_size_bytes), 0)::bigint
from bus.{partition} where expires_at <= now() and not pinned

-- name: expired_delete :one
with doomed as (
    select transaction_id, ctid from bus.{partition}
    where transaction_id > coalesce(%(after)b::uuid, '00000000-0000-0000-0000-000000000000')
      and expires_at <= now() and not pinned
    order by transaction_id limit %(batch)b::integer
    for update skip locked
), gone as (
    delete from bus.{partition} message using doomed
    where message.ctid = doomed.ctid
    returning message.transaction_id, message.payload_size_bytes, message.stored_size_bytes,
              message.chunk_count, message.checksum
), chunks as (
    delete from bus.message_chunk chunk
    using (select transaction_id from gone where chunk_count > 0) parent
    where chunk.transaction_id = parent.transaction_id
), trail as (
    insert into bus.message_event (transaction_id, kind, hop, detail)
    select transaction_id, 'expired', 'store', jsonb_build_object(
        'size', payload_size_bytes, 'checksum', encode(checksum, 'hex'))
    from gone
)
select count(*), coalesce(sum(stored_size_bytes), 0)::bigint,
       (select transaction_id from gone order by transaction_id desc limit 1)
from gone

-- name: request_delete :one
with gone as (
    delete from bus.request where ctid in (
        select ctid from bus.request where expires_at <= now()
        limit %(batch)b::integer for update skip locked)
    returning 1)
select count(*) from gone

-- name: retention_lock :one
select pg_try_advisory_xact_lock(hashtext('busctl.cleanup'))

-- name: server_now :one
select now()
