-- Messages restored from a dump of another cluster keep the transaction numbers that they had there.
-- Those ahead of this cluster's counter count as not yet begun: no follower saw them, and as the
-- counter passed them they would have come up as new ones.

-- Whether there are rows of transactions that this cluster has not begun; they show, so they are none
-- of its own.
create function bus.has_foreign_messages() returns boolean
    language sql volatile security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off as $$
    select exists (
        select from bus.message_bus message
        where message.xid >= pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
          and message.xid is distinct from pg_catalog.pg_current_xact_id_if_assigned())
$$;

-- They become messages of this transaction: new to every follower. Returns how many.
create function bus.adopt_messages() returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    adopted bigint;
begin
    update bus.message_bus message set xid = pg_catalog.pg_current_xact_id()
    where message.xid >= pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
      and message.xid is distinct from pg_catalog.pg_current_xact_id_if_assigned();
    get diagnostics adopted = row_count;
    return adopted;
end
$$;

-- The cursor of that name, made when there is none: at the beginning, at `starting`, or with
-- `from_now` behind all that is there. One of another cluster, whose transaction numbers say
-- nothing here, begins anew where `starting` or `from_now` is given, and is refused else; so is any
-- before messages of another cluster are adopted.
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
    if bus.has_foreign_messages() then
        raise exception 'messages that were restored from another database cluster would not be followed'
            using errcode = 'BU003';
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

grant update (xid) on bus.message_bus to bus_janitor;
do $$
begin
    -- A function's new owner must be able to create in its schema; only for this moment.
    grant create on schema bus to bus_reader;
    revoke all on function bus.has_foreign_messages() from public;
    alter function bus.has_foreign_messages() owner to bus_reader;
    revoke create on schema bus from bus_reader;
    revoke all on function bus.adopt_messages() from public;
    alter function bus.adopt_messages() owner to bus_janitor;
end
$$;
select bus.revoke_stray_grants();
