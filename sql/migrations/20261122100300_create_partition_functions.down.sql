drop view bus.partitions;
drop function bus.ensure_partitions(timestamptz, timestamptz);
drop function bus.ensure_partitions_of(text, timestamptz, timestamptz);
drop function bus.time_of(uuid);
drop function bus.first_id(timestamptz);
drop function bus.partition_width(text);
