drop function bus.cleanup(integer, interval);
