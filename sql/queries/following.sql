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

-- name: follow_commit :one
select bus.follow_commit(
    %(follower)b, %(moves)b, %(goal)b, %(complete)b::boolean, %(place_xid)b, %(place_seq)b::bigint)

-- name: follow_stay :one
select bus.follow_stay(
    %(follower)b, %(holder)b, %(lease)b::double precision, %(listen)b::double precision)

-- name: wake :one
select bus.wake()

-- name: follow_forget :none
delete from bus.watcher_cursor where name = %(follower)b
