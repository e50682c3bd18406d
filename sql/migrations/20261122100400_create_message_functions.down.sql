drop function bus.request_renew(text, text, text, text, double precision, boolean);
drop function bus.request_begin(text, text, text, uuid, text, double precision, double precision);
drop function bus.record_deliveries(uuid[], timestamptz[], real[], text[], jsonb[]);
drop function bus.damaged_parts(uuid);
drop function bus.chunk_get(uuid, integer, integer);
drop function bus.message_get(uuid);
drop function bus.message_put_many(
    uuid[], timestamptz, double precision, bigint[], bytea[], bytea[], bytea[], integer[], text[],
    text[], text[], text[], text[], text[], text[], jsonb[]);
drop function bus.message_put(
    uuid, timestamptz, double precision, bigint, bigint, integer, text, text, text, text, text,
    text, text, bytea, bytea, jsonb, bytea);
