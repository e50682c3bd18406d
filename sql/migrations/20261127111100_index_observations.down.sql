drop view bus.watcher_findings;
create view bus.watcher_findings with (security_invoker = true) as
select message.transaction_id as observation, message.created_at,
       (message.metadata ->> 'observed')::uuid as observed,
       message.metadata ->> 'watcher' as watcher, message.tool_name, message.session_id,
       finding ->> 'rule' as rule, finding ->> 'severity' as severity,
       (finding ->> 'confidence')::real as confidence, finding ->> 'message' as message
from bus.message_bus message, pg_catalog.jsonb_array_elements(message.metadata -> 'findings') finding
where message.message_type = 'watcher_observation' and message.metadata ? 'observed';
comment on view bus.watcher_findings is 'What watchers found wrong: one row a finding.';
revoke all on bus.watcher_findings from public;
grant select on bus.watcher_findings to bus_reader;
drop index bus.message_bus_finding;
drop index bus.message_bus_observation;
