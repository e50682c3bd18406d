-- Deliveries of errors count, too: a message of type error keeps the status error, and its deliveries
-- were left out of what flows. One that has the status because it is damaged is left as it is.

alter policy message_deliver on bus.message_bus
    using (status in ('pending', 'delivered') or status = 'error' and message_type = 'error')
    with check (status = 'delivered' or status = 'error' and message_type = 'error');

create or replace function bus.record_deliveries(
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
    set status = case message.status when 'pending' then 'delivered' else message.status end,
        retrieved_at = greatest(message.retrieved_at, delivery.at),
        retrieved_count = message.retrieved_count + delivery.times,
        read_duration_ms = delivery.duration
    from (select one.id, max(one.at) as at, count(*)::integer as times, max(one.duration) as duration
          from unnest(ids, moments, durations) as one (id, at, duration) group by one.id) delivery
    where message.transaction_id = delivery.id and message.transaction_id = any (ids)
      and (message.status in ('pending', 'delivered')
           or message.status = 'error' and message.message_type = 'error');
    get diagnostics recorded = row_count;
    insert into bus.message_event (transaction_id, at, kind, hop, detail)
    select one.id, one.at, 'delivered', one.hop, one.detail
    from unnest(ids, moments, hops, details) as one (id, at, hop, detail);
    return recorded;
end
$$;
