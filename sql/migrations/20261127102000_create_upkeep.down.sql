drop table bus.upkeep;
