drop view bus.paths;
drop view bus.message_paths;
drop function bus.message_reconciled(
    uuid, timestamptz, text, jsonb, text, jsonb, text, text, text, double precision);
drop policy event_recognise on bus.message_event;
revoke select (transaction_id, kind) on bus.message_event from bus_writer;
