-- Partitions are made ahead of time and attached, never created in place: ATTACH takes a lock that
-- readers and writers do not wait for, CREATE ... PARTITION OF takes one that they do. There is no
-- default partition: one stray row in it would block the partition it belongs to.

create function bus.partition_width(parent text) returns interval
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp
    return case parent when 'message_event' then interval '1 day' else interval '6 hours' end;

create function bus.first_id(moment timestamptz) returns uuid
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp
    return (pg_catalog.lpad(pg_catalog.to_hex(
        (extract(epoch from moment) * 1000)::bigint), 12, '0') || pg_catalog.repeat('0', 20))::uuid;
comment on function bus.first_id(timestamptz) is 'The smallest id of that millisecond: a bound for ranges.';

create function bus.time_of(id uuid) returns timestamptz
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp
    return pg_catalog.to_timestamp(
        ('x' || pg_catalog.substr(pg_catalog.replace(id::text, '-', ''), 1, 12))::bit(48)::bigint
        / 1000.0);
comment on function bus.time_of(uuid) is 'The time inside a UUIDv7.';

-- Makes the partitions of one parent that cover [first, last]; returns how many were made.
-- A statement that names a partition meets the partition's own policies, not its parent's: without
-- one of its own, bus_janitor would see an empty partition and drop it with all that is in it.
create function bus.ensure_partitions_of(
    parent text, first timestamptz, last timestamptz) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    width constant interval := bus.partition_width(parent);
    pattern constant text :=
        case parent when 'message_event' then 'YYYYMMDD' else 'YYYYMMDD"h"HH24' end;
    lower_bound timestamptz := pg_catalog.date_bin(width, first, timestamptz '2000-01-01 00:00:00+00');
    child text;
    made integer := 0;
begin
    while lower_bound <= last loop
        child := parent || '_p' || pg_catalog.to_char(lower_bound at time zone 'UTC', pattern);
        if pg_catalog.to_regclass('bus.' || child) is null then
            -- One at a time, and only where something is missing: the normal case takes no lock.
            perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('bus.ensure_partitions'));
            -- to_regclass would repeat what this session remembers from before it waited.
            if not exists (
                select from pg_catalog.pg_class made_meanwhile
                where made_meanwhile.relname = child
                  and made_meanwhile.relnamespace = 'bus'::pg_catalog.regnamespace)
            then
                execute pg_catalog.format(
                    'create table bus.%I (like bus.%I including defaults including constraints '
                    'including storage including comments)', child, parent);
                execute pg_catalog.format('alter table bus.%I enable row level security', child);
                execute pg_catalog.format('alter table bus.%I force row level security', child);
                if parent = 'message_event' then
                    execute pg_catalog.format(
                        'revoke update, delete, truncate on bus.%I from bus_janitor', child);
                    execute pg_catalog.format('create policy partition_keep on bus.%I for select '
                        'to bus_janitor using (transaction_id is not null)', child);
                else
                    execute pg_catalog.format(
                        'revoke insert, update, truncate on bus.%I from bus_janitor', child);
                    execute pg_catalog.format('create policy partition_keep on bus.%I for all '
                        'to bus_janitor using (transaction_id is not null)', child);
                end if;
                if parent = 'message_bus' then
                    execute pg_catalog.format(
                        'grant update (pinned, expires_at) on bus.%I to bus_janitor', child);
                end if;
                execute pg_catalog.format(
                    'alter table bus.%I attach partition bus.%I for values from (%L) to (%L)',
                    parent, child, bus.first_id(lower_bound), bus.first_id(lower_bound + width));
                made := made + 1;
            end if;
        end if;
        lower_bound := lower_bound + width;
    end loop;
    return made;
end
$$;

create function bus.ensure_partitions(first timestamptz, last timestamptz) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- A writer may call this: it must not be able to fill the catalog with one call.
    if last > pg_catalog.now() + interval '32 days' or last - first > interval '100 days' then
        raise exception 'partitions from % to % are too many or too far ahead', first, last
            using errcode = 'invalid_parameter_value',
                  hint = 'Ask for at most 100 days at once, ending within 32 days from now.';
    end if;
    return bus.ensure_partitions_of('message_bus', first, last)
         + bus.ensure_partitions_of('message_chunk', first, last)
         + bus.ensure_partitions_of('message_event', first, last);
end
$$;
comment on function bus.ensure_partitions(timestamptz, timestamptz)
    is 'Makes missing partitions for ids of that time span; returns how many were made.';

-- What a person or a statement wants to know of each partition. Bounds come from the catalog.
create view bus.partitions with (security_invoker = true) as
select parent.relname::text as parent,
       child.relname::text as partition,
       bus.time_of(bound.parts[1]::uuid) as lower_bound,
       bus.time_of(bound.parts[2]::uuid) as upper_bound,
       child.reltuples::bigint as estimated_rows,
       pg_catalog.pg_total_relation_size(child.oid) as bytes
from pg_catalog.pg_inherits link
join pg_catalog.pg_class parent on parent.oid = link.inhparent
join pg_catalog.pg_class child on child.oid = link.inhrelid
join pg_catalog.pg_namespace space on space.oid = parent.relnamespace
cross join lateral (
    select pg_catalog.regexp_match(
        pg_catalog.pg_get_expr(child.relpartbound, child.oid),
        'FROM \(''([0-9a-f-]+)''\) TO \(''([0-9a-f-]+)''\)') as parts) bound
where space.nspname = 'bus' and parent.relkind = 'p' and not link.inhdetachpending;
comment on view bus.partitions is 'Every partition: parent, bounds in time, estimated rows, bytes.';

revoke all on bus.partitions from public;
grant select on bus.partitions to bus_reader, bus_janitor;
revoke all on function bus.partition_width(text), bus.first_id(timestamptz), bus.time_of(uuid),
    bus.ensure_partitions_of(text, timestamptz, timestamptz),
    bus.ensure_partitions(timestamptz, timestamptz) from public;
grant execute on function bus.partition_width(text), bus.first_id(timestamptz), bus.time_of(uuid)
    to bus_writer, bus_reader, bus_janitor;
-- As their owner, so that a partition belongs to bus_janitor whoever asked for it, and a writer
-- can make the one its message needs.
alter function bus.ensure_partitions_of(text, timestamptz, timestamptz) owner to bus_janitor;
alter function bus.ensure_partitions(timestamptz, timestamptz) owner to bus_janitor;
grant execute on function bus.ensure_partitions(timestamptz, timestamptz) to bus_writer;
