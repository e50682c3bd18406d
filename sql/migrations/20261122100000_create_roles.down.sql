-- The roles stay: they belong to the cluster, and another database may use them.
revoke all on schema bus from bus_writer, bus_reader, bus_janitor;
drop table bus.migration;
drop schema bus;
