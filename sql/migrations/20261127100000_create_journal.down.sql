drop function bus.revoke_stray_grants();
drop view bus.daemons;
drop table bus.system_event;
drop table bus.daemon;
