-- What dashboards show of followers and watchers.

-- name: watch_followers :many
select name, moved_at, waiting, lag, holder, listening from bus.followers order by name

-- name: watch_lags :many
-- For metrics, whose labels hold no ids: each tail -f without a name follows under one of its own.
select name, extract(epoch from lag)::double precision from bus.followers
where not starts_with(name, 'tail/')
order by name limit %(limit)b::integer

-- name: watch_observations :many
-- The newest of a day: ids are times, so older partitions are not looked at.
select transaction_id, created_at, observed, watcher, tool_name, ok, severity, findings
from bus.watcher_observations
where transaction_id >= bus.first_id(now() - interval '24 hours')
order by transaction_id desc limit %(limit)b::integer

-- name: watch_findings :many
-- Warnings and worse, by an index of their own: they are few among many.
select observation, created_at, observed, watcher, tool_name, rule, severity, message
from bus.watcher_findings
where observation >= bus.first_id(now() - interval '24 hours')
  and worst in ('warning', 'critical') and severity in ('warning', 'critical')
order by observation desc limit %(limit)b::integer

-- name: observed_of :many
-- An observation has the time of what it observes in its id: one millisecond of the primary key.
select transaction_id, created_at, observed, watcher, tool_name, ok, severity, findings
from bus.watcher_observations
where transaction_id >= %(low)b::uuid and transaction_id < %(high)b::uuid and observed = %(id)b::uuid
order by created_at

-- name: findings_of :many
select observation, created_at, observed, watcher, tool_name, rule, severity, message
from bus.watcher_findings
where observation >= %(low)b::uuid and observation < %(high)b::uuid and observed = %(id)b::uuid
order by created_at
