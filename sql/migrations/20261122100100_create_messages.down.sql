drop table bus.message_chunk;
drop table bus.message_bus;
drop domain bus.sha256;
drop type bus.compression;
drop type bus.message_status;
drop type bus.message_type;
