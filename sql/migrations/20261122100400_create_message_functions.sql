-- The calls on the hot path, one statement and so one round trip each. They are SECURITY DEFINER
-- and owned by the role with the least rights for the job: a caller, superuser or Supabase's
-- postgres with BYPASSRLS, *drops* to that role inside, without the two statements and the
-- pipeline that SET LOCAL ROLE costs (measured: 1.9 times a plain INSERT against 1.3).
-- pg_temp is named, and last: left out it is searched first for types, and a caller's own type
-- `text` there would run its check with the function's rights (tried).
-- A generic plan is forced where an id is looked up: planning a partitioned look-up anew costs
-- more than the look-up.

-- Stores one message, or finds that the id is there already. `stored` is false for the latter,
-- and `known_checksum` tells whether it is the same payload.
create function bus.message_put(
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

-- Many small messages in one statement; returns the ids that were new. Labels come once a sort of
-- message: `sorts` numbers, from 1, the elements of the eight arrays behind it.
create function bus.message_put_many(
    ids uuid[], created timestamptz, ttl_seconds double precision, raw_sizes bigint[],
    raw_digests bytea[], stored_digests bytea[], bodies bytea[], sorts integer[],
    kinds text[], packings text[], mimes text[], principals text[], tools text[], sessions text[],
    requests text[], extras jsonb[])
    returns setof uuid
    language plpgsql security definer set search_path = pg_catalog, pg_temp
    -- Array sizes are unknown to the plan: were they underrated, loops over loops would be dear.
    set enable_nestloop = off as $$
begin
    return query
    with message as (
        insert into bus.message_bus (
            transaction_id, created_at, expires_at, payload_size_bytes, stored_size_bytes,
            message_type, status, compression, content_type, owner, tool_name, session_id,
            request_id, checksum, stored_checksum, metadata, payload, write_duration_ms)
        select one.id, coalesce(created, pg_catalog.now()),
               coalesce(created, pg_catalog.now()) + pg_catalog.make_interval(secs => ttl_seconds),
               one.raw_size, pg_catalog.octet_length(one.body), label.kind, label.status,
               label.packing, label.mime, label.principal, label.tool, label.session,
               label.request, one.raw_digest, coalesce(one.stored_digest, one.raw_digest),
               label.extra, one.body,
               extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.now()) * 1000
        from unnest(ids, raw_sizes, raw_digests, stored_digests, bodies, sorts)
            as one (id, raw_size, raw_digest, stored_digest, body, sort)
        join (
            select each.sort, each.kind::bus.message_type as kind,
                   case each.kind when 'error' then 'error' else 'pending' end
                       ::bus.message_status as status,
                   each.packing::bus.compression as packing, each.mime, each.principal, each.tool,
                   each.session, each.request, coalesce(each.extra, '{}') as extra
            from unnest(kinds, packings, mimes, principals, tools, sessions, requests, extras)
                with ordinality
                as each (kind, packing, mime, principal, tool, session, request, extra, sort)
        ) label on label.sort = one.sort
        on conflict do nothing
        returning transaction_id, payload_size_bytes, checksum
    ), trail as (
        insert into bus.message_event (transaction_id, kind, hop, detail)
        select message.transaction_id, 'stored', 'store', pg_catalog.jsonb_build_object(
            'size', message.payload_size_bytes,
            'checksum', pg_catalog.encode(message.checksum, 'hex'))
        from message
    )
    select message.transaction_id from message;
end
$$;

-- The message by id, its body included when it is in the row; all null when there is none.
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

-- Chunks [first, last] of one message, in order.
create function bus.chunk_get(id uuid, first integer, last integer)
    returns table (seq integer, raw_size integer, raw_checksum bytea, stored_checksum bytea,
                   body bytea)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp
    set plan_cache_mode = 'force_generic_plan' as $$
begin
    return query
    select part.seq, part.raw_size, part.raw_checksum::bytea, part.stored_checksum::bytea,
           part.body
    from bus.message_chunk part
    where part.transaction_id = id and part.seq between first and last
    order by part.seq;
end
$$;

-- Where stored bytes no longer match their stored digests: chunk numbers, -1 for a body in the row.
-- The server reads and hashes; nothing travels.
create function bus.damaged_parts(id uuid) returns setof integer
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp
    set plan_cache_mode = 'force_generic_plan' as $$
begin
    return query
    select -1 from bus.message_bus message
    where message.transaction_id = id and message.chunk_count = 0
      and pg_catalog.sha256(message.payload) <> message.stored_checksum::bytea
    union all
    select part.seq from bus.message_chunk part
    where part.transaction_id = id and pg_catalog.sha256(part.body) <> part.stored_checksum::bytea;
end
$$;

-- Deliveries, many at once and without waiting for the disk: losing the last few of them in a
-- crash is allowed, failing a read for their sake is not.
create function bus.record_deliveries(
    ids uuid[], moments timestamptz[], durations real[], hops text[], details jsonb[])
    returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    recorded integer;
begin
    perform pg_catalog.set_config('synchronous_commit', 'off', true);
    if pg_catalog.cardinality(ids) > 1 then
        -- In one order, or two daemons that deliver the same messages could deadlock.
        perform from bus.message_bus message where message.transaction_id = any (ids)
        order by message.transaction_id for no key update;
    end if;
    update bus.message_bus message
    set status = 'delivered',
        retrieved_at = greatest(message.retrieved_at, delivery.at),
        retrieved_count = message.retrieved_count + delivery.times,
        read_duration_ms = delivery.duration
    from (select one.id, max(one.at) as at, count(*)::integer as times, max(one.duration) as duration
          from unnest(ids, moments, durations) as one (id, at, duration) group by one.id) delivery
    where message.transaction_id = delivery.id and message.transaction_id = any (ids)
      and message.status in ('pending', 'delivered');
    get diagnostics recorded = row_count;
    insert into bus.message_event (transaction_id, at, kind, hop, detail)
    select one.id, one.at, 'delivered', one.hop, one.detail
    from unnest(ids, moments, hops, details) as one (id, at, hop, detail);
    return recorded;
end
$$;

-- Takes the right to run one request, for as long as the lease is renewed. Returns the
-- transaction id the answer has or will have, and whether the caller is the one to make it.
create function bus.request_begin(
    principal text, session text, request text, id uuid, by_daemon text,
    lease_seconds double precision, ttl_seconds double precision,
    out mine boolean, out answer_id uuid, out done boolean)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into bus.request as known (
        owner, session_id, request_id, transaction_id, daemon, lease_until, expires_at)
    values (principal, session, request, id, by_daemon,
            pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => lease_seconds),
            pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => ttl_seconds))
    on conflict (owner, session_id, request_id) do update
        -- Only a lease that ran out without an answer, or a record past its time, is taken over;
        -- the same id again is the same call, whose first answer got lost on its way.
        set transaction_id = excluded.transaction_id, daemon = excluded.daemon,
            lease_until = excluded.lease_until, expires_at = excluded.expires_at, answered = false
        -- A daemon that died after its answer was stored, before it could say so, did answer.
        where (not known.answered and known.lease_until < pg_catalog.clock_timestamp()
               and not exists (select from bus.message_bus stored
                               where stored.transaction_id = known.transaction_id))
           or known.expires_at < pg_catalog.clock_timestamp()
           or (not known.answered and known.transaction_id = excluded.transaction_id
               and known.daemon = excluded.daemon)
    returning known.transaction_id, known.answered into answer_id, done;
    mine := found;
    if not mine then
        select known.transaction_id, known.answered or exists (
            select from bus.message_bus stored where stored.transaction_id = known.transaction_id)
        into answer_id, done from bus.request known
        where known.owner = principal and known.session_id = session
          and known.request_id = request;
    end if;
end
$$;

-- Ends a lease (`answered`) or moves it on; false when another daemon has taken it over.
create function bus.request_renew(
    principal text, session text, request text, by_daemon text,
    lease_seconds double precision, is_answered boolean) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update bus.request as known
    set lease_until = pg_catalog.clock_timestamp()
            + pg_catalog.make_interval(secs => lease_seconds),
        answered = is_answered
    where known.owner = principal and known.session_id = session
      and known.request_id = request and known.daemon = by_daemon;
    return found;
end
$$;

do $$
declare
    call record;
    role_of constant jsonb := '{"message_put": "bus_writer", "message_put_many": "bus_writer",
        "request_begin": "bus_writer", "request_renew": "bus_writer", "message_get": "bus_reader",
        "chunk_get": "bus_reader", "damaged_parts": "bus_reader",
        "record_deliveries": "bus_reader"}';
begin
    -- A function's new owner must be able to create in its schema; only for this moment.
    grant create on schema bus to bus_writer, bus_reader;
    for call in
        select code.oid::pg_catalog.regprocedure as signature, role_of ->> code.proname as owner
        from pg_catalog.pg_proc code
        where code.pronamespace = 'bus'::pg_catalog.regnamespace and role_of ? code.proname
    loop
        execute pg_catalog.format('revoke all on function %s from public', call.signature);
        execute pg_catalog.format('alter function %s owner to %I', call.signature, call.owner);
    end loop;
    revoke create on schema bus from bus_writer, bus_reader;
end
$$;
