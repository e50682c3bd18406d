drop table bus.token;
