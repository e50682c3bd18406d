-- What is recorded of a payload beside its way (as produced, as sent, as received), many at once
-- and without waiting for the disk: losing the last few lines in a crash is allowed, slowing an
-- answer for their sake is not.
create function bus.record_events(
    ids uuid[], moments timestamptz[], kinds text[], hops text[], details jsonb[])
    returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    recorded integer;
begin
    perform pg_catalog.set_config('synchronous_commit', 'off', true);
    insert into bus.message_event (transaction_id, at, kind, hop, detail)
    select one.id, one.at, one.kind, one.hop, one.detail
    from unnest(ids, moments, kinds, hops, details) as one (id, at, kind, hop, detail);
    get diagnostics recorded = row_count;
    return recorded;
end
$$;

-- Marks messages whose stored bytes or sizes were found wrong, so that every list shows it, and
-- says so in their trail. Deletes nothing; one that is marked already is left alone. Returns how
-- many were marked.
create function bus.mark_damaged(ids uuid[], details jsonb[]) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    marked integer;
begin
    with damaged as (
        update bus.message_bus message set status = 'error'
        from unnest(ids, details) as one (id, detail)
        where message.transaction_id = one.id and message.transaction_id = any (ids)
          and message.status in ('pending', 'delivered')
        returning message.transaction_id, one.detail
    )
    insert into bus.message_event (transaction_id, kind, hop, detail)
    select damaged.transaction_id, 'corrupt', 'store', damaged.detail from damaged;
    get diagnostics marked = row_count;
    return marked;
end
$$;

grant update (status) on bus.message_bus to bus_janitor;

do $$
declare
    call record;
    role_of constant jsonb := '{"record_events": "bus_writer", "mark_damaged": "bus_janitor"}';
begin
    -- A function's new owner must be able to create in its schema; only for this moment.
    grant create on schema bus to bus_writer;
    for call in
        select code.oid::pg_catalog.regprocedure as signature, role_of ->> code.proname as owner
        from pg_catalog.pg_proc code
        where code.pronamespace = 'bus'::pg_catalog.regnamespace and role_of ? code.proname
    loop
        execute pg_catalog.format('revoke all on function %s from public', call.signature);
        execute pg_catalog.format('alter function %s owner to %I', call.signature, call.owner);
    end loop;
    revoke create on schema bus from bus_writer;
end
$$;

select bus.revoke_stray_grants();
