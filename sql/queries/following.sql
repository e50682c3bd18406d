-- Following messages: see the functions' own comments in the migration.

-- name: follow_claim :many
select at_moves, round_goal, complete, place_xid, place_seq, wanted,
       transaction_id, created_at, expires_at, message_type, content_type, tool_name,
       session_id, request_id, owner, nullif(metadata, '{}') as metadata, payload_size_bytes, checksum, compression,
       stored_size_bytes, stored_checksum, chunk_count, status, retrieved_at,
       retrieved_count, pinned, write_duration_ms, read_duration_ms, looked_at, body
from bus.follow_claim(
    %(follower)b, %(holder)b, %(lease)b::double precision, %(most)b::integer,
    %(body_bytes)b::bigint, %(starting)b::timestamptz, %(from_now)b::boolean,
    %(kind)b::text, %(tool)b::text, %(session)b::text, %(owner)b::text)

-- name: follow_lines :one
select at_moves, round_goal, complete, place_xid, place_seq, messages, lines
from bus.follow_lines(
    %(follower)b, %(holder)b, %(lease)b::double precision, %(most)b::integer,
    %(starting)b::timestamptz, %(from_now)b::boolean,
    %(kind)b::text, %(tool)b::text, %(session)b::text, %(owner)b::text)

-- name: follow_commit :one
select bus.follow_commit(
    %(follower)b, %(moves)b, %(goal)b, %(complete)b::boolean, %(place_xid)b, %(place_seq)b::bigint)

-- name: follow_stay :one
select bus.follow_stay(
    %(follower)b, %(holder)b, %(lease)b::double precision, %(listen)b::double precision)

-- name: follow_held :one
select exists (
    select from bus.watcher_cursor
    where name = %(follower)b and holder <> %(holder)b and held_until > clock_timestamp())

-- name: wake :one
select bus.wake()

-- name: follow_forget :none
delete from bus.watcher_cursor where name = %(follower)b

-- name: neglected_since :many
select transaction_id, created_at, expires_at, message_type::text, content_type, tool_name,
       session_id, request_id, owner, metadata, payload_size_bytes, checksum, compression::text,
       stored_size_bytes, stored_checksum, chunk_count, status::text, retrieved_at,
       retrieved_count, pinned, write_duration_ms, read_duration_ms, now()
from bus.message_bus
where transaction_id > %(beyond)b
  and transaction_id >= bus.first_id(greatest(
      %(behind)b::timestamptz - make_interval(secs => %(age)b::double precision),
      timestamptz 'epoch'))
  and transaction_id < bus.first_id(now() - make_interval(secs => %(age)b::double precision))
  and retrieved_count = 0 and status = 'pending' and message_type = 'tool_response'
  and (pinned or expires_at > now()) and %(ahead)b::double precision >= 0
order by transaction_id limit %(most)b::integer

-- name: neglected_ahead :many
select transaction_id, created_at, expires_at, message_type::text, content_type, tool_name,
       session_id, request_id, owner, metadata, payload_size_bytes, checksum, compression::text,
       stored_size_bytes, stored_checksum, chunk_count, status::text, retrieved_at,
       retrieved_count, pinned, write_duration_ms, read_duration_ms, now()
from bus.message_bus
where transaction_id > %(beyond)b and expires_at > now()
  and expires_at <= now() + make_interval(secs => %(ahead)b::double precision)
  -- Not before nine tenths of its time are over, or what lives short would be named at once.
  and expires_at - (expires_at - created_at) / 10 <= now()
  and (%(behind)b::timestamptz is null
       or greatest(expires_at - (expires_at - created_at) / 10,
                   expires_at - make_interval(secs => %(ahead)b::double precision))
          > %(behind)b::timestamptz)
  and retrieved_count = 0 and status = 'pending' and message_type = 'tool_response'
  and not pinned and %(age)b::double precision >= 0
order by transaction_id limit %(most)b::integer

-- name: swept_until :one
select now(), (select swept_at from bus.watcher_cursor where name = %(follower)b)

-- name: swept :none
update bus.watcher_cursor set swept_at = %(at)b::timestamptz where name = %(follower)b

-- name: analysis_tokens :one
select coalesce(sum((metadata -> 'analysis' ->> 'tokens')::bigint), 0)::bigint
from bus.message_bus
where message_type = 'watcher_observation' and metadata ? 'analysis'
  and created_at >= date_trunc('day', now(), 'UTC')

-- name: follow_tidy :none
delete from bus.watcher_cursor
-- A week: one that is there and saw nothing for so long would begin anew, behind what came meanwhile.
where starts_with(name, 'tail/') and moved_at < now() - interval '7 days'
  and coalesce(listening_until, moved_at) < now()
