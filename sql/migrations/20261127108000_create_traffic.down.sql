drop function bus.tool_flow(interval, text);
drop function bus.flow(interval, interval, text);
drop table bus.traffic;
