create or replace function bus.follow_cursor(follower text, starting timestamptz, from_now boolean)
    returns bus.watcher_cursor
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    cluster constant bigint := (select system_identifier from pg_catalog.pg_control_system());
    found_cursor bus.watcher_cursor;
begin
    select * into found_cursor from bus.watcher_cursor known where known.name = follower;
    if found and found_cursor.system_identifier = cluster then
        return found_cursor;
    end if;
    if found and starting is null and not from_now then
        raise exception 'follower % got its place in another database cluster', follower
            using errcode = 'BU002';
    end if;
    insert into bus.watcher_cursor as known (name, system_identifier, xid, seq, seen, since)
    values (follower, cluster, '0', 0,
            case when from_now then bus.snapshot_now() else '3:3:' end, starting)
    on conflict (name) do update
    set system_identifier = cluster, xid = '0', seq = 0, seen = excluded.seen, goal = null,
        since = excluded.since, moves = known.moves + 1, holder = null, held_until = null
    where known.system_identifier <> cluster;
    select * into found_cursor from bus.watcher_cursor known where known.name = follower;
    return found_cursor;
end
$$;
drop function bus.adopt_messages();
drop function bus.has_foreign_messages();
revoke update (xid) on bus.message_bus from bus_janitor;
