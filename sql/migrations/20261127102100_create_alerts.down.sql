drop table bus.alert_notice;
drop table bus.alert;
