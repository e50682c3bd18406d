-- Following: every committed message exactly once for each named follower.
--
-- A cursor holds the snapshot up to which it has seen everything (`seen`). What is new is what that
-- snapshot does not show and a later one (`goal`) does: rows of transactions that were running
-- then, by their numbers, and rows of every later transaction. So nothing is skipped whatever the
-- order of commits, and nothing waits for a transaction that stays open, here or in another
-- database of the server: its number stays in the snapshot and is looked at again.

-- What was committed since a snapshot, in order; an append to the right edge of a small index.
-- squawk-ignore require-concurrent-index-creation
create index message_bus_xid on bus.message_bus (xid, seq);

alter table bus.watcher_cursor
    add column seen pg_snapshot not null default '3:3:',
    add column goal pg_snapshot,
    add column since timestamptz,
    add column moves bigint not null default 0,
    add column holder text,
    add column held_until timestamptz,
    add column listening_until timestamptz,
    add column swept_at timestamptz;
comment on column bus.watcher_cursor.seen is 'Everything that this snapshot shows has been followed.';
comment on column bus.watcher_cursor.goal is 'The round under way goes up to what this snapshot shows; xid and seq say how far it got.';
comment on column bus.watcher_cursor.since is 'In the first round, older messages are passed over.';
comment on column bus.watcher_cursor.moves is 'Rises with each move: of two who process the same batch one moves the cursor.';
comment on column bus.watcher_cursor.holder is 'Who processes the next batch, until held_until; the others wait.';
comment on column bus.watcher_cursor.listening_until is 'Somebody waits for NOTIFY until then.';
comment on column bus.watcher_cursor.swept_at is 'Up to when a watcher has looked for what nobody redeems.';

-- The snapshot of now. The transaction that asks counts as running: it may write more.
create function bus.snapshot_now() returns pg_snapshot
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    now_shown constant pg_snapshot := pg_catalog.pg_current_snapshot();
    own constant xid8 := pg_catalog.pg_current_xact_id_if_assigned();
begin
    if own is null or own >= pg_catalog.pg_snapshot_xmax(now_shown) then
        return now_shown;
    end if;
    return (
        select pg_catalog.format('%s:%s:%s', least(own, pg_catalog.pg_snapshot_xmin(now_shown)),
            pg_catalog.pg_snapshot_xmax(now_shown), pg_catalog.string_agg(
                running.xid::text, ',' order by running.xid))
        from (select pg_catalog.pg_snapshot_xip(now_shown) union select own) running (xid)
    )::pg_snapshot;
end
$$;

-- The cursor of that name, made when there is none: at the beginning, at `starting`, or with
-- `from_now` behind all that is there. One of another cluster, whose transaction numbers say
-- nothing here, begins anew where `starting` or `from_now` is given, and is refused else.
create function bus.follow_cursor(follower text, starting timestamptz, from_now boolean)
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

-- The next messages of transactions that were running when a round ended. A function, so that its
-- plan is set up only where there are any: half of what looking costs.
create function bus.follow_late(
    earlier xid8[], place_xid xid8, place_seq bigint, target pg_snapshot, most integer)
    returns setof bus.message_bus
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp
    set plan_cache_mode = 'force_generic_plan' set enable_seqscan = off as $$
begin
    return query
    select message.* from bus.message_bus message
    where message.xid = any (earlier) and (message.xid, message.seq) > (place_xid, place_seq)
      and pg_catalog.pg_visible_in_snapshot(message.xid, target)
    order by message.xid, message.seq limit most;
end
$$;

-- The next messages of a follower, up to `most`, in the order (xid, seq) of the round; none when
-- there is nothing new or somebody else holds the batch. Whoever gets some holds them for
-- `lease_seconds` (null: no lease is taken, as inside a transaction of one's own). Each row says
-- where the cursor is to be moved; the last one, which may be passed over (`wanted` false), says so
-- for the whole batch. Bodies in the row come along up to `body_bytes` of stored bytes each.
create function bus.follow_claim(
    follower text, by_whom text, lease_seconds double precision, most integer,
    body_bytes bigint, starting timestamptz, from_now boolean,
    kind text, tool text, of_session text, of_owner text)
    returns table (
        at_moves bigint, round_goal text, complete boolean, place_xid text, place_seq bigint,
        wanted boolean, transaction_id uuid, created_at timestamptz, expires_at timestamptz,
        message_type text, content_type text, tool_name text, session_id text, request_id text,
        owner text, metadata jsonb, payload_size_bytes bigint, checksum bytea, compression text,
        stored_size_bytes bigint, stored_checksum bytea, chunk_count integer, status text,
        retrieved_at timestamptz, retrieved_count integer, pinned boolean,
        write_duration_ms real, read_duration_ms real, looked_at timestamptz, body bytea)
    language plpgsql security definer set search_path = pg_catalog, pg_temp
    -- Few rows at the right edge of an index, whatever the statistics say of it.
    set plan_cache_mode = 'force_generic_plan' set enable_seqscan = off
    set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    held bus.watcher_cursor := bus.follow_cursor(follower, starting, from_now);
    target pg_snapshot;
    earlier xid8[];
    rows_given bigint;
begin
    if held.holder <> by_whom and held.held_until > pg_catalog.clock_timestamp() then
        return;
    end if;
    loop
        target := coalesce(held.goal, bus.snapshot_now());
        earlier := array(select pg_catalog.pg_snapshot_xip(held.seen));
        return query
        with late as (
            select message.* from bus.follow_late(earlier, held.xid, held.seq, target, most) message
            where pg_catalog.cardinality(earlier) > 0
        ), later as (
            select message.* from bus.message_bus message
            where message.xid >= pg_catalog.pg_snapshot_xmax(held.seen)
              and (message.xid, message.seq) > (held.xid, held.seq)
              and pg_catalog.pg_visible_in_snapshot(message.xid, target)
            order by message.xid, message.seq limit most
        ), page as (
            select both_of.*, row_number() over (order by both_of.xid, both_of.seq) as number
            from (select late.* from late union all select later.* from later) both_of
            order by both_of.xid, both_of.seq limit most
        ), judged as (
            select page.*, count(*) over () as total,
                   (kind is null or page.message_type = kind::bus.message_type)
                   and (tool is null or page.tool_name = tool)
                   and (of_session is null or page.session_id = of_session)
                   and (of_owner is null or page.owner = of_owner)
                   and (held.since is null or page.created_at >= held.since) as is_wanted
            from page
        )
        select held.moves, target::text, one.total < most, one.xid::text, one.seq, one.is_wanted,
               one.transaction_id, one.created_at, one.expires_at, one.message_type::text,
               one.content_type, one.tool_name, one.session_id, one.request_id, one.owner,
               one.metadata, one.payload_size_bytes, one.checksum::bytea, one.compression::text,
               one.stored_size_bytes, one.stored_checksum::bytea, one.chunk_count,
               one.status::text, one.retrieved_at, one.retrieved_count, one.pinned,
               one.write_duration_ms, one.read_duration_ms, pg_catalog.now(),
               case when one.is_wanted and one.stored_size_bytes <= body_bytes
                    then one.payload end
        from judged one where one.is_wanted or one.number = one.total
        order by one.xid, one.seq;
        get diagnostics rows_given = row_count;
        exit when rows_given > 0 or held.goal is null;
        -- The round ended with the batch before this one: on to the next.
        update bus.watcher_cursor known
        set seen = held.goal, goal = null, xid = '0', seq = 0, since = null, moves = known.moves + 1
        where known.name = follower and known.moves = held.moves
        returning * into held;
        if not found then
            return;
        end if;
    end loop;
    if rows_given = 0 or lease_seconds is null then
        return;
    end if;
    perform pg_catalog.set_config('synchronous_commit', 'off', true);
    update bus.watcher_cursor known
    set holder = by_whom, held_until = pg_catalog.clock_timestamp()
            + pg_catalog.make_interval(secs => lease_seconds)
    where known.name = follower and known.moves = held.moves
      and (known.holder is null or known.holder = by_whom
           or known.held_until <= pg_catalog.clock_timestamp());
    if not found then
        raise exception 'the batch of follower % is held by another', follower
            using errcode = 'BU001';
    end if;
end
$$;

-- Moves the cursor behind a batch, together with what else its transaction writes; false when
-- somebody else did: then that transaction is to be rolled back.
create function bus.follow_commit(
    follower text, from_moves bigint, round_goal text, complete boolean, place_xid text,
    place_seq bigint) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update bus.watcher_cursor known
    set seen = case when complete then round_goal::pg_snapshot else known.seen end,
        goal = case when complete then null else round_goal::pg_snapshot end,
        xid = case when complete then '0' else place_xid::xid8 end,
        seq = case when complete then 0 else place_seq end,
        since = case when complete then null else known.since end,
        moves = known.moves + 1, moved_at = pg_catalog.clock_timestamp(),
        holder = null, held_until = null
    where known.name = follower and known.moves = from_moves;
    return found;
end
$$;

-- Holds a batch on, and says that somebody listens: `listen_seconds` (null: nobody does).
create function bus.follow_stay(
    follower text, by_whom text, lease_seconds double precision, listen_seconds double precision)
    returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_catalog.set_config('synchronous_commit', 'off', true);
    update bus.watcher_cursor known
    set held_until = case when known.holder = by_whom then pg_catalog.clock_timestamp()
            + pg_catalog.make_interval(secs => lease_seconds) else known.held_until end,
        listening_until = coalesce(pg_catalog.clock_timestamp()
            + pg_catalog.make_interval(secs => listen_seconds), known.listening_until)
    where known.name = follower;
    return found;
end
$$;

-- Wakes those who listen; false when nobody does. Never called in a writer's own transaction:
-- NOTIFY takes a lock at commit that all of them would wait for.
create function bus.wake() returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from bus.watcher_cursor known
                   where known.listening_until > pg_catalog.clock_timestamp()) then
        return false;
    end if;
    perform pg_catalog.set_config('synchronous_commit', 'off', true);
    perform pg_catalog.pg_notify('bus_message', '');
    return true;
end
$$;

create view bus.followers with (security_invoker = true) as
select known.name, known.moved_at, waiting.messages as waiting, waiting.oldest as oldest_waiting_at,
       coalesce(pg_catalog.now() - waiting.oldest, interval '0') as lag, known.holder,
       coalesce(known.listening_until > pg_catalog.now(), false) as listening, known.moves
from bus.watcher_cursor known, lateral (
    select count(*) as messages, min(ahead.created_at) as oldest
    from (
        select message.created_at from bus.message_bus message
        where message.xid >= pg_catalog.pg_snapshot_xmax(known.seen)
          and (message.xid, message.seq) > (known.xid, known.seq)
        order by message.xid, message.seq limit 10000
    ) ahead
) waiting;
comment on view bus.followers is 'Where each follower is and what waits for it (counted up to 10,000).';

create view bus.watcher_observations with (security_invoker = true) as
select transaction_id, created_at, (metadata ->> 'observed')::uuid as observed,
       metadata ->> 'watcher' as watcher, tool_name, session_id,
       (metadata ->> 'ok')::boolean as ok, metadata ->> 'severity' as severity,
       (metadata ->> 'confidence')::real as confidence,
       (metadata ->> 'bytes_read')::bigint as bytes_read, metadata ->> 'stage' as stage,
       pg_catalog.jsonb_array_length(metadata -> 'findings') as findings
from bus.message_bus
where message_type = 'watcher_observation' and metadata ? 'observed';
comment on view bus.watcher_observations is 'What watchers saw: one row a message observed, and one for each later finding.';

create view bus.watcher_findings with (security_invoker = true) as
select message.transaction_id as observation, message.created_at,
       (message.metadata ->> 'observed')::uuid as observed,
       message.metadata ->> 'watcher' as watcher, message.tool_name, message.session_id,
       finding ->> 'rule' as rule, finding ->> 'severity' as severity,
       (finding ->> 'confidence')::real as confidence, finding ->> 'message' as message
from bus.message_bus message, pg_catalog.jsonb_array_elements(message.metadata -> 'findings') finding
where message.message_type = 'watcher_observation' and message.metadata ? 'observed';
comment on view bus.watcher_findings is 'What watchers found wrong: one row a finding.';

revoke all on bus.followers, bus.watcher_observations, bus.watcher_findings from public;
grant select on bus.followers, bus.watcher_observations, bus.watcher_findings to bus_reader;

do $$
declare
    call record;
begin
    -- A function's new owner must be able to create in its schema; only for this moment.
    grant create on schema bus to bus_reader;
    for call in
        select code.oid::pg_catalog.regprocedure as signature
        from pg_catalog.pg_proc code
        where code.pronamespace = 'bus'::pg_catalog.regnamespace and code.proname in (
            'snapshot_now', 'follow_cursor', 'follow_late', 'follow_claim',
            'follow_commit', 'follow_stay', 'wake')
    loop
        execute pg_catalog.format('revoke all on function %s from public', call.signature);
        execute pg_catalog.format('alter function %s owner to bus_reader', call.signature);
    end loop;
    revoke create on schema bus from bus_reader;
end
$$;
select bus.revoke_stray_grants();
