drop view bus.storage;
drop view bus.tool_activity;
drop view bus.message_history;
drop view bus.messages;
