-- What flowed, by the minute: what dashboards plot, so that no plot reads the messages themselves.
-- Daemons keep it (see sql/queries/traffic.sql); it outlives the messages by a few days.

create table bus.traffic (
    minute timestamptz not null,
    owner text not null,
    tool_name text not null,
    messages integer not null,
    errors integer not null,
    payload_bytes bigint not null,
    stored_bytes bigint not null,
    largest_bytes bigint not null,
    deliveries bigint not null,
    write_ms double precision not null,
    p95_ms double precision not null,
    up_to_1kb integer not null,
    up_to_10kb integer not null,
    up_to_100kb integer not null,
    up_to_1mb integer not null,
    up_to_10mb integer not null,
    over_10mb integer not null,
    constraint traffic_pkey primary key (minute, owner, tool_name)
);
comment on table bus.traffic is 'Messages by the minute of their id, owner and tool (empty: none). Sums but for largest_bytes and p95_ms; write_ms is the time spent storing them.';
alter table bus.traffic enable row level security;
alter table bus.traffic force row level security;
revoke all on bus.traffic from public;
grant select on bus.traffic to bus_reader;
create policy traffic_read on bus.traffic for select to bus_reader using (minute is not null);
create policy traffic_keep on bus.traffic for all to bus_janitor
    using (minute is not null) with check (minute is not null);
alter table bus.traffic owner to bus_janitor;
revoke truncate on bus.traffic from bus_janitor;

-- `select * from bus.flow('1 hour', '1 minute')`: a row a step, empty ones too, the newest last.
create function bus.flow(span interval, step interval, principal text default null)
    returns table (
        at timestamptz, messages bigint, errors bigint, payload_bytes bigint, stored_bytes bigint,
        largest_bytes bigint, deliveries bigint, mean_ms double precision, p95_ms double precision)
    language sql stable security invoker set search_path = pg_catalog, pg_temp as $$
    with bound as (
        select pg_catalog.date_bin(step, pg_catalog.now() - span, timestamptz '2000-01-01 00:00:00+00') + step as first
    ), part as (
        select pg_catalog.date_bin(step, traffic.minute, timestamptz '2000-01-01 00:00:00+00') as at,
               sum(traffic.messages) as messages, sum(traffic.errors) as errors,
               sum(traffic.payload_bytes) as payload_bytes,
               sum(traffic.stored_bytes) as stored_bytes,
               max(traffic.largest_bytes) as largest_bytes,
               sum(traffic.deliveries) as deliveries, sum(traffic.write_ms) as write_ms,
               max(traffic.p95_ms) as p95_ms
        from bus.traffic, bound
        where traffic.minute >= bound.first
          and (principal is null or traffic.owner = principal)
        group by 1
    )
    select moment.at, coalesce(part.messages, 0)::bigint, coalesce(part.errors, 0)::bigint,
           coalesce(part.payload_bytes, 0)::bigint, coalesce(part.stored_bytes, 0)::bigint,
           part.largest_bytes, coalesce(part.deliveries, 0)::bigint,
           part.write_ms / nullif(part.messages, 0), part.p95_ms
    from bound, pg_catalog.generate_series(bound.first, pg_catalog.now(), step) as moment (at)
    left join part on part.at = moment.at
    order by moment.at
$$;
comment on function bus.flow(interval, interval, text)
    is 'What flowed in each step of a span. p95_ms is the highest of any minute and tool in it; null where nothing was.';

create function bus.tool_flow(span interval, principal text default null)
    returns table (
        tool_name text, messages bigint, errors bigint, payload_bytes bigint, stored_bytes bigint,
        largest_bytes bigint, deliveries bigint, mean_ms double precision, up_to_1kb bigint,
        up_to_10kb bigint, up_to_100kb bigint, up_to_1mb bigint, up_to_10mb bigint,
        over_10mb bigint)
    language sql stable security invoker set search_path = pg_catalog, pg_temp as $$
    select traffic.tool_name, sum(traffic.messages), sum(traffic.errors),
           sum(traffic.payload_bytes)::bigint, sum(traffic.stored_bytes)::bigint,
           max(traffic.largest_bytes), sum(traffic.deliveries)::bigint,
           sum(traffic.write_ms) / nullif(sum(traffic.messages), 0), sum(traffic.up_to_1kb),
           sum(traffic.up_to_10kb), sum(traffic.up_to_100kb), sum(traffic.up_to_1mb),
           sum(traffic.up_to_10mb), sum(traffic.over_10mb)
    from bus.traffic
    where traffic.minute >= pg_catalog.now() - span
      and (principal is null or traffic.owner = principal)
    group by traffic.tool_name
    order by 2 desc, 1
$$;
comment on function bus.tool_flow(interval, text) is 'What each tool stored within a span, and how large that was.';

revoke all on function bus.flow(interval, interval, text), bus.tool_flow(interval, text) from public;
grant execute on function bus.flow(interval, interval, text), bus.tool_flow(interval, text)
    to bus_reader;
select bus.revoke_stray_grants();
