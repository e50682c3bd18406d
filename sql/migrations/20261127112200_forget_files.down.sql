create or replace function bus.forget(before timestamptz, out system_events bigint, out tokens bigint)
    language sql security invoker set search_path = pg_catalog, pg_temp as $$
    with told as (
        delete from bus.system_event event where event.at < before returning 1
    ), silent as (
        delete from bus.daemon where daemon.seen_at < pg_catalog.now() - interval '1 day'
    ), ended as (
        delete from bus.token where least(token.revoked_at, token.expires_at) < before returning 1
    )
    select (select count(*) from told), (select count(*) from ended)
$$;
comment on function bus.forget(timestamptz)
    is 'Deletes system events, and tokens that were revoked or expired, before that; and daemons silent for a day.';
