create or replace function bus.follow_claim(
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
create or replace view bus.followers with (security_invoker = true) as
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
