revoke update (status) on bus.message_bus from bus_janitor;
drop function bus.mark_damaged(uuid[], jsonb[]);
drop function bus.record_events(uuid[], timestamptz[], text[], text[], jsonb[]);
