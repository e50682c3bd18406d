-- What ended long ago leaves with the audit trail: system events, daemons that died without a word,
-- tokens that were revoked or have expired. `busctl cleanup` and bus.cleanup() both do it by this.

grant delete on bus.token to bus_janitor;
-- One that is good still cannot be deleted, only revoked.
create policy token_forget on bus.token as restrictive for delete to bus_janitor
    using (revoked_at is not null or expires_at <= pg_catalog.now());

create function bus.forget(before timestamptz, out system_events bigint, out tokens bigint)
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
revoke all on function bus.forget(timestamptz) from public;
alter function bus.forget(timestamptz) owner to bus_janitor;

-- What it was before is a part of it now; its name is there again before anybody can look.
-- squawk-ignore renaming-object
alter function bus.cleanup(integer, interval) rename to cleanup_messages;
comment on function bus.cleanup_messages(integer, interval) is 'A part of bus.cleanup().';

create function bus.cleanup(
    max_rows integer default 10000, keep_events interval default interval '30 days',
    out messages bigint, out partitions integer, out returned_bytes bigint, out note text)
    language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '250ms' as $$
declare
    ended record;
begin
    select done.messages, done.partitions, done.returned_bytes, done.note
    into messages, partitions, returned_bytes, note
    from bus.cleanup_messages(max_rows, keep_events) done;
    if note = 'another cleanup is running' then
        return;
    end if;
    select * into ended from bus.forget(pg_catalog.now() - keep_events);
    insert into bus.upkeep (task, at, detail)
    values ('cleanup', pg_catalog.now(), pg_catalog.jsonb_build_object(
        'messages', messages, 'ok', note is null, 'by', 'bus.cleanup()',
        'system_events', ended.system_events, 'tokens', ended.tokens))
    on conflict (task) do update set at = excluded.at, detail = excluded.detail;
end
$$;
comment on function bus.cleanup(integer, interval)
    is 'Removes what has expired, in one transaction; for pg_cron. Otherwise use `busctl cleanup`.';
revoke all on function bus.cleanup(integer, interval) from public;
alter function bus.cleanup(integer, interval) owner to bus_janitor;
select bus.revoke_stray_grants();
