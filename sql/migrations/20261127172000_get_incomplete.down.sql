drop function bus.message_get(uuid);
create function bus.message_get(
    id uuid,
    out raw_size bigint, out stored_size bigint, out chunks integer, out packing text,
    out mime text, out principal text, out raw_digest bytea, out stored_digest bytea,
    out live boolean, out expires timestamptz, out kind text, out duration_ms real,
    out body bytea)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp
    set plan_cache_mode = 'force_generic_plan' as $$
begin
    -- Cast here, where a plan is kept: PL/pgSQL sets its own casts up anew in each transaction.
    select found.payload_size_bytes, found.stored_size_bytes, found.chunk_count,
           found.compression::text, found.content_type, found.owner, found.checksum::bytea,
           found.stored_checksum::bytea, found.pinned or found.expires_at > pg_catalog.now(),
           found.expires_at, found.message_type::text,
           (extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp())
            * 1000)::real, found.payload
    into raw_size, stored_size, chunks, packing, mime, principal, raw_digest, stored_digest,
         live, expires, kind, duration_ms, body
    from bus.message_bus found where found.transaction_id = id;
end
$$;

do $$
declare
    stray record;
begin
    revoke all on function bus.message_get(uuid) from public;
    -- Whoever the database's default privileges give each new function (Supabase: anon and others).
    for stray in
        select distinct item.grantee::pg_catalog.regrole as role
        from pg_catalog.pg_proc code, lateral pg_catalog.aclexplode(code.proacl) item
        where code.oid = 'bus.message_get(uuid)'::pg_catalog.regprocedure
          and item.grantee not in (0, code.proowner)
    loop
        execute pg_catalog.format('revoke all on function bus.message_get(uuid) from %s', stray.role);
    end loop;
    -- A function's new owner must be able to create in its schema; only for this moment.
    grant create on schema bus to bus_reader;
    alter function bus.message_get(uuid) owner to bus_reader;
    revoke create on schema bus from bus_reader;
end
$$;
