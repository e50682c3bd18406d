-- Cleanup without busctl, for pg_cron. One transaction, so partitions leave by plain DROP, which
-- locks their parents until the end: drops come last, few at a time, and give up soon. Where a
-- process can connect, `busctl cleanup` does better: it detaches concurrently.

-- Deletes up to `max_rows` expired messages (their chunks with them) and as many old requests, and
-- drops up to four expired time spans and four days of events older than `keep_events`.
-- `note` says what could not go, and why; null when all is well.
create function bus.cleanup(
    max_rows integer default 10000, keep_events interval default interval '30 days',
    out messages bigint, out partitions integer, out returned_bytes bigint, out note text)
    language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '250ms' as $$
declare
    cutoff constant timestamptz := pg_catalog.now();
    -- An id made just before a partition's upper bound may still be on its way.
    past constant timestamptz := cutoff - interval '15 minutes';
    at_once constant integer := 4;
    span record;
    range text;
    live boolean;
    gone bigint;
    gone_bytes bigint;
    spans integer := 0;
begin
    messages := 0;
    partitions := 0;
    returned_bytes := 0;
    if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('busctl.cleanup')) then
        note := 'another cleanup is running';
        return;
    end if;
    perform bus.ensure_partitions(cutoff, cutoff + interval '1 day');

    -- Single rows, where not all goes soon.
    for span in
        select known.*, bus.first_id(known.lower_bound) as first,
               bus.first_id(known.upper_bound) as last
        from bus.partitions known where known.parent = 'message_bus' order by known.lower_bound
    loop
        -- Written out, so that planning leaves one partition.
        range := pg_catalog.format(
            '(transaction_id >= %L and transaction_id < %L)', span.first, span.last);
        execute pg_catalog.format('select exists (select from bus.message_bus '
            'where %s and (pinned or expires_at > $1))', range) into live
            using cutoff + bus.partition_width('message_bus');
        continue when span.upper_bound <= past and not live;
        perform bus.ensure_partitions_of(
            'message_event', span.lower_bound, span.upper_bound - interval '1 millisecond');
        execute pg_catalog.format($delete$
            with doomed as materialized (
                select transaction_id, ctid from bus.message_bus
                where %1$s and expires_at <= $1 and not pinned
                limit $2 for update skip locked
            ), gone as (
                delete from bus.message_bus
                where %1$s and ctid = any (array(select doomed.ctid from doomed))
                returning transaction_id, payload_size_bytes, chunk_count, checksum
            ), chunks as (
                delete from bus.message_chunk
                where %1$s and transaction_id = any (
                    array(select gone.transaction_id from gone where gone.chunk_count > 0))
            ), trail as (
                insert into bus.message_event (transaction_id, kind, hop, detail)
                select transaction_id, 'expired', 'store', pg_catalog.jsonb_build_object(
                    'size', payload_size_bytes, 'checksum', pg_catalog.encode(checksum, 'hex'))
                from gone
            )
            select count(*) from gone$delete$, range)
            into gone using cutoff, max_rows - messages;
        messages := messages + gone;
        if messages >= max_rows then
            note := 'more messages have expired than were deleted';
            exit;
        end if;
    end loop;
    delete from bus.request where ctid = any (array(
        select request.ctid from bus.request where request.expires_at <= cutoff
        limit max_rows for update skip locked));

    -- Whole time spans: every message expired, none pinned. The chunk table comes first, as it
    -- does for a writer.
    for span in
        select message.lower_bound, message.upper_bound, message.partition as message_table,
               chunk.partition as chunk_table, message.bytes + coalesce(chunk.bytes, 0) as bytes,
               bus.first_id(message.lower_bound) as first,
               bus.first_id(message.upper_bound) as last
        from bus.partitions message
        left join bus.partitions chunk
            on chunk.parent = 'message_chunk' and chunk.lower_bound = message.lower_bound
        where message.parent = 'message_bus' and message.upper_bound <= past
        order by message.lower_bound
    loop
        exit when spans >= at_once;
        range := pg_catalog.format(
            '(transaction_id >= %L and transaction_id < %L)', span.first, span.last);
        begin
            -- Nobody writes to it from here on; readers go on until the drop itself.
            if span.chunk_table is not null then
                execute pg_catalog.format(
                    'lock table only bus.%I in share mode', span.chunk_table);
            end if;
            execute pg_catalog.format(
                'lock table only bus.%I in share mode', span.message_table);
            execute pg_catalog.format(
                'select coalesce(bool_or(pinned or expires_at > $1), false), count(*), '
                'coalesce(sum(payload_size_bytes), 0)::bigint from bus.message_bus where %s',
                range) into live, gone, gone_bytes using cutoff;
            continue when live;
            perform bus.ensure_partitions_of(
                'message_event', span.lower_bound, span.lower_bound);
            insert into bus.message_event (transaction_id, kind, hop, detail)
            values (span.first, 'expired', 'store', pg_catalog.jsonb_build_object(
                'partition', span.message_table, 'rows', gone, 'payload_bytes', gone_bytes,
                'returned_bytes', span.bytes, 'from', span.lower_bound, 'to', span.upper_bound));
            if span.chunk_table is not null then
                execute pg_catalog.format('drop table bus.%I', span.chunk_table);
            end if;
            execute pg_catalog.format('drop table bus.%I', span.message_table);
            -- What failed is undone; variables are not, so they count last.
            partitions := partitions + 1 + (span.chunk_table is not null)::integer;
            spans := spans + 1;
            messages := messages + gone;
            returned_bytes := returned_bytes + span.bytes;
        exception when lock_not_available or deadlock_detected then
            note := pg_catalog.concat_ws('; ', note, span.message_table || ' is in use');
        end;
    end loop;

    -- Days of events whose messages have all gone.
    for span in
        select event.partition as name, event.bytes from bus.partitions event
        where event.parent = 'message_event' and event.upper_bound <= cutoff - keep_events
          and not exists (
              select from bus.partitions message
              where message.parent = 'message_bus' and message.lower_bound < event.upper_bound
                and event.lower_bound < message.upper_bound)
        order by event.lower_bound limit at_once
    loop
        begin
            execute pg_catalog.format('drop table bus.%I', span.name);
            partitions := partitions + 1;
            returned_bytes := returned_bytes + span.bytes;
        exception when lock_not_available or deadlock_detected then
            note := pg_catalog.concat_ws('; ', note, span.name || ' is in use');
        end;
    end loop;
end
$$;
comment on function bus.cleanup(integer, interval)
    is 'Removes what has expired, in one transaction; for pg_cron. Otherwise use `busctl cleanup`.';
revoke all on function bus.cleanup(integer, interval) from public;
alter function bus.cleanup(integer, interval) owner to bus_janitor;
