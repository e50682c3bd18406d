-- The same message_put with less to compute: its times once, and not read back from the row, and
-- the duration without numeric arithmetic (0.01 ms of 0.22 a message of 1 KB).

create or replace function bus.message_put(
    id uuid, created timestamptz, ttl_seconds double precision,
    raw_size bigint, stored_size bigint, chunks integer,
    kind text, packing text, mime text, principal text, tool text, session text, request text,
    raw_digest bytea, stored_digest bytea, extra jsonb, body bytea,
    out stored boolean, out stored_at timestamptz, out expires timestamptz,
    out known_checksum bytea)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    at constant timestamptz := coalesce(created, pg_catalog.now());
    until constant timestamptz := at + ttl_seconds * interval '1 second';
begin
    if (body is null) <> (chunks > 0) or pg_catalog.octet_length(body) <> stored_size then
        raise exception 'message %: body and sizes do not agree', id
            using errcode = 'check_violation';
    end if;
    insert into bus.message_bus (
        transaction_id, created_at, expires_at, payload_size_bytes, stored_size_bytes, chunk_count,
        message_type, status, compression, content_type, owner, tool_name, session_id, request_id,
        checksum, stored_checksum, metadata, payload, write_duration_ms)
    values (
        id, at, until, raw_size, stored_size, chunks, kind::bus.message_type,
        case kind when 'error' then 'error' else 'pending' end::bus.message_status,
        packing::bus.compression, mime, principal, tool, session, request, raw_digest,
        coalesce(stored_digest, raw_digest), coalesce(extra, '{}'), body,
        pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.now()) * 1000)
    on conflict do nothing;
    stored := found;
    if stored then
        stored_at := at;
        expires := until;
        insert into bus.message_event (transaction_id, kind, hop, detail)
        values (id, 'stored', 'store', pg_catalog.jsonb_build_object(
            'size', raw_size, 'checksum', pg_catalog.encode(raw_digest, 'hex')));
    else
        select known.created_at, known.expires_at, known.checksum::bytea
        into stored_at, expires, known_checksum
        from bus.message_bus known where known.transaction_id = id;
    end if;
end
$$;
