-- Looking at stored messages without moving them: the server hashes, only verdicts travel. Each is
-- one statement of its own under bus_reader, so a transaction pooler serves as well. Bodies are
-- stored EXTERNAL: their lengths are read without them.

-- name: inspection_totals :one
select count(*), coalesce(sum(stored_size_bytes), 0)::bigint from bus.message_bus
where transaction_id >= %(first)b::uuid and transaction_id < %(last)b::uuid
  and (pinned or expires_at > pg_catalog.now())

-- name: inspection_pick :many
select transaction_id, stored_size_bytes from bus.message_bus
where transaction_id > %(after)b::uuid and transaction_id < %(last)b::uuid
  and (pinned or expires_at > pg_catalog.now())
  and abs(pg_catalog.hashtextextended(transaction_id::text, %(seed)b::bigint) %% 1000000)
      < %(share)b::integer
order by transaction_id limit %(limit)b::integer

-- name: inspection_look :many
select message.transaction_id, message.payload_size_bytes, message.stored_size_bytes,
       message.chunk_count, message.compression::text, message.checksum::bytea,
       message.stored_checksum::bytea, octet_length(message.payload)::bigint,
       pg_catalog.sha256(message.payload), coalesce(part.stored, 0)::bigint,
       coalesce(part.present, '{}'), coalesce(part.wrong, '{}'), coalesce(part.odd, '{}'),
       trail.detail
from bus.message_bus message
left join lateral (
    select sum(octet_length(chunk.body)) as stored,
           array_agg(chunk.seq order by chunk.seq) as present,
           array_agg(chunk.seq order by chunk.seq) filter (
               where pg_catalog.sha256(chunk.body) <> chunk.stored_checksum::bytea
                  or message.compression = 'none'
                     and chunk.raw_checksum::bytea <> chunk.stored_checksum::bytea) as wrong,
           array_agg(chunk.seq order by chunk.seq) filter (
               where chunk.seq < message.chunk_count and chunk.raw_size <> least(
                   1048576, message.payload_size_bytes - chunk.seq * 1048576::bigint)) as odd
    from bus.message_chunk chunk where chunk.transaction_id = message.transaction_id
) part on true
left join lateral (
    select event.detail from bus.message_event event
    where event.transaction_id = message.transaction_id and event.kind = 'stored' limit 1
) trail on true
where message.transaction_id = any (%(ids)b)
order by message.transaction_id

-- name: inspection_orphans :many
select chunk.transaction_id, count(*), sum(octet_length(chunk.body))::bigint
from bus.message_chunk chunk
where chunk.transaction_id >= %(first)b::uuid and chunk.transaction_id < %(last)b::uuid
  and not exists (select from bus.message_bus message
                  where message.transaction_id = chunk.transaction_id)
group by chunk.transaction_id order by chunk.transaction_id limit %(limit)b::integer

-- name: mark_damaged :one
select bus.mark_damaged(%(ids)b, %(details)b::jsonb[])
