-- The next messages of a follower as follow_claim gives them, in one row: where the cursor is to be
-- moved, how many there are, and their lines, each the JSON that `busctl ls --json` has of a message.
-- A follower in Python takes five times as long to make them. All NULL but the count when there is
-- nothing new.
create function bus.follow_lines(
    follower text, by_whom text, lease_seconds double precision, most integer,
    starting timestamptz, from_now boolean, kind text, tool text, of_session text, of_owner text,
    out at_moves bigint, out round_goal text, out complete boolean, out place_xid text,
    out place_seq bigint, out messages bigint, out lines text)
    language sql volatile security definer set search_path = pg_catalog, pg_temp
    set timezone = 'UTC' as $$
    select max(at_moves), max(round_goal), bool_or(complete),
           max(place_xid) filter (where round_goal is not null),
           max(place_seq) filter (where round_goal is not null),
           count(*) filter (where wanted),
           string_agg(
               '{"version": 1, "transaction_id": "' || transaction_id
               || '", "created_at": ' || pg_catalog.to_json(created_at)::text
               || ', "expires_at": ' || pg_catalog.to_json(expires_at)::text
               || ', "message_type": "' || message_type
               || '", "status": "'
               || case when not pinned and expires_at <= looked_at then 'expired' else status end
               || '", "tool_name": ' || coalesce(pg_catalog.to_json(tool_name)::text, 'null')
               || ', "session_id": ' || coalesce(pg_catalog.to_json(session_id)::text, 'null')
               || ', "request_id": ' || coalesce(pg_catalog.to_json(request_id)::text, 'null')
               || ', "owner": ' || pg_catalog.to_json(owner)::text
               || ', "content_type": ' || pg_catalog.to_json(content_type)::text
               || ', "payload_size_bytes": ' || payload_size_bytes
               || ', "checksum": "' || pg_catalog.encode(checksum, 'hex')
               || '", "compression": "' || compression
               || '", "stored_size_bytes": ' || stored_size_bytes
               || ', "stored_checksum": "' || pg_catalog.encode(stored_checksum, 'hex')
               || '", "chunk_count": ' || chunk_count
               || ', "pinned": ' || case when pinned then 'true' else 'false' end
               || ', "retrieved_at": ' || coalesce(pg_catalog.to_json(retrieved_at)::text, 'null')
               || ', "retrieved_count": ' || retrieved_count
               || ', "write_duration_ms": ' || coalesce(write_duration_ms::double precision::text, 'null')
               || ', "read_duration_ms": ' || coalesce(read_duration_ms::double precision::text, 'null')
               || ', "metadata": ' || metadata || '}', E'\n') filter (where wanted)
    from bus.follow_claim(
        follower, by_whom, lease_seconds, most, -1, starting, from_now, kind, tool, of_session,
        of_owner)
$$;

do $$
begin
    -- A function's new owner must be able to create in its schema; only for this moment.
    grant create on schema bus to bus_reader;
    revoke all on function bus.follow_lines(
        text, text, double precision, integer, timestamptz, boolean, text, text, text, text)
        from public;
    alter function bus.follow_lines(
        text, text, double precision, integer, timestamptz, boolean, text, text, text, text)
        owner to bus_reader;
    revoke create on schema bus from bus_reader;
end
$$;
select bus.revoke_stray_grants();
