drop view bus.watcher_findings;
drop view bus.watcher_observations;
drop view bus.followers;
drop function bus.wake();
drop function bus.follow_stay(text, text, double precision, double precision);
drop function bus.follow_commit(text, bigint, text, boolean, text, bigint);
drop function bus.follow_claim(
    text, text, double precision, integer, bigint, timestamptz, boolean, text, text, text, text);
drop function bus.follow_late(xid8[], xid8, bigint, pg_snapshot, integer);
drop function bus.follow_cursor(text, timestamptz, boolean);
drop function bus.snapshot_now();
alter table bus.watcher_cursor
    drop column swept_at, drop column listening_until, drop column held_until, drop column holder,
    drop column moves, drop column since, drop column goal, drop column seen;
drop index bus.message_bus_xid;
