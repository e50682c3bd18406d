drop table bus.conversation_part;
drop table bus.conversation;
