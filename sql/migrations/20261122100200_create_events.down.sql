drop table bus.watcher_cursor;
drop table bus.request;
drop table bus.message_event;
