-- Texts and copies of files, and conversations, leave with whatever else has ended: by `busctl cleanup`
-- and bus.cleanup() alike. What they named has expired by itself.

create or replace function bus.forget(before timestamptz, out system_events bigint, out tokens bigint)
    language sql security invoker set search_path = pg_catalog, pg_temp as $$
    with told as (
        delete from bus.system_event event where event.at < before returning 1
    ), silent as (
        delete from bus.daemon where daemon.seen_at < pg_catalog.now() - interval '1 day'
    ), ended as (
        delete from bus.token where least(token.revoked_at, token.expires_at) < before returning 1
    ), texts as (
        delete from bus.file_text kept where kept.expires_at < pg_catalog.now()
    ), copies as (
        -- What a provider forgot by itself, and uploads that were never finished.
        delete from bus.provider_file copy
        where copy.expires_at < pg_catalog.now()
           or (copy.file_id is null
               and copy.lease_until < pg_catalog.now() - interval '1 day')
    ), conversations as (
        delete from bus.conversation talk
        where talk.expires_at < pg_catalog.now() and talk.lease_until < pg_catalog.now()
    )
    select (select count(*) from told), (select count(*) from ended)
$$;
comment on function bus.forget(timestamptz)
    is 'Deletes system events, and tokens that were revoked or expired, before that; daemons silent for a day; files and conversations past their time.';
