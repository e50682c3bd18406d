-- What watchers saw and found, newest first, among however many messages: the dashboard's page
-- Watch. Other messages have no entry, so that their puts cost nothing more.
-- squawk-ignore require-concurrent-index-creation
create index message_bus_observation on bus.message_bus (transaction_id)
    where message_type = 'watcher_observation';
-- squawk-ignore require-concurrent-index-creation
create index message_bus_finding on bus.message_bus (transaction_id)
    where message_type = 'watcher_observation'
      and metadata ->> 'severity' in ('warning', 'critical');

create or replace view bus.watcher_findings with (security_invoker = true) as
select message.transaction_id as observation, message.created_at,
       (message.metadata ->> 'observed')::uuid as observed,
       message.metadata ->> 'watcher' as watcher, message.tool_name, message.session_id,
       finding ->> 'rule' as rule, finding ->> 'severity' as severity,
       (finding ->> 'confidence')::real as confidence, finding ->> 'message' as message,
       message.metadata ->> 'severity' as worst
from bus.message_bus message, pg_catalog.jsonb_array_elements(message.metadata -> 'findings') finding
where message.message_type = 'watcher_observation' and message.metadata ? 'observed';
comment on view bus.watcher_findings is 'What watchers found wrong: one row a finding; worst is the severity of the observation.';
