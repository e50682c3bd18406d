create or replace function bus.message_put(
    id uuid, created timestamptz, ttl_seconds double precision,
    raw_size bigint, stored_size bigint, chunks integer,
    kind text, packing text, mime text, principal text, tool text, session text, request text,
    raw_digest bytea, stored_digest bytea, extra jsonb, body bytea,
    out stored boolean, out stored_at timestamptz, out expires timestamptz,
    out known_checksum bytea)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
        id, coalesce(created, pg_catalog.now()),
        coalesce(created, pg_catalog.now()) + pg_catalog.make_interval(secs => ttl_seconds),
        raw_size, stored_size, chunks, kind::bus.message_type,
        case kind when 'error' then 'error' else 'pending' end::bus.message_status,
        packing::bus.compression, mime, principal, tool, session, request, raw_digest, coalesce(stored_digest, raw_digest), coalesce(extra, '{}'), body,
        extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.now()) * 1000)
    on conflict do nothing
    returning created_at, expires_at into stored_at, expires;
    stored := found;
    if stored then
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
