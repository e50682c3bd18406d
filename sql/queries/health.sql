-- What `busctl check` asks. Each is one statement without parameters: it is sent together with its
-- transaction, so that a check costs one round trip. Ages and times to come are seconds.

-- name: health_connection :one
-- numbackends, because a login without pg_read_all_stats sees no other's sessions.
select current_setting('server_version') as version,
       current_setting('max_connections')::integer
           - current_setting('superuser_reserved_connections')::integer as slots,
       (select sum(numbackends) from pg_catalog.pg_stat_database)::integer as used,
       pg_catalog.pg_backend_pid() as backend,
       (select version from pg_catalog.pg_stat_ssl
        where pid = pg_catalog.pg_backend_pid() and ssl) as tls,
       pg_catalog.inet_server_addr() is null as is_socket

-- name: health_partitions :many
select parent, extract(epoch from lower_bound - pg_catalog.now())::double precision as lower,
       extract(epoch from upper_bound - pg_catalog.now())::double precision as upper
from bus.partitions
where parent in ('message_bus', 'message_chunk', 'message_event') and upper_bound is not null
order by parent, lower_bound

-- name: health_partition_faults :many
select parent.relname::text as parent, child.relname::text as partition,
       case when link.inhdetachpending then 'half' else 'default' end as fault
from pg_catalog.pg_inherits link
join pg_catalog.pg_class parent on parent.oid = link.inhparent and parent.relkind = 'p'
join pg_catalog.pg_class child on child.oid = link.inhrelid and child.relkind in ('r', 'p')
where parent.relnamespace = 'bus'::pg_catalog.regnamespace
  and (link.inhdetachpending or pg_catalog.pg_get_expr(child.relpartbound, child.oid) = 'DEFAULT')
union all
select (pg_catalog.regexp_match(loose.relname, '^(.*)_p\d{8}(h\d\d)?$'))[1], loose.relname::text,
       'detached'
from pg_catalog.pg_class loose
where loose.relnamespace = 'bus'::pg_catalog.regnamespace and loose.relkind = 'r'
  and loose.relname ~ '^message_(bus|chunk|event)_p\d{8}(h\d\d)?$'
  and not exists (select from pg_catalog.pg_inherits link where link.inhrelid = loose.oid)

-- name: health_expiry :one
-- Bounded: what counts is that there are many, not how many.
select count(*)::integer as overdue,
       coalesce(extract(epoch from pg_catalog.now() - min(expires_at)), 0)::double precision as age,
       (select extract(epoch from pg_catalog.now() - at)::double precision
        from bus.upkeep where task = 'cleanup') as cleanup_age
from (select expires_at from bus.message_bus
      where expires_at <= pg_catalog.now() and not pinned limit 100000) expired

-- name: health_backlog :one
-- The oldest messages first, and no more of them than can be read in a moment. Nobody is meant to
-- redeem what watchers say.
select count(*)::integer as looked_at,
       count(*) filter (where waits)::integer as pending,
       coalesce(extract(epoch from pg_catalog.now() - min(created_at) filter (where waits)), 0
           )::double precision as age
from (select created_at, status = 'pending' and message_type <> 'watcher_observation'
             and (pinned or expires_at > pg_catalog.now()) as waits
      from bus.message_bus order by transaction_id limit 100000) oldest

-- name: health_quota :one
select pg_catalog.pg_database_size(pg_catalog.current_database()) as bytes,
       current_setting('transaction_read_only') = 'on' as read_only,
       pg_catalog.pg_is_in_recovery() as is_standby

-- name: health_latency :one
select count(*)::integer as messages,
       coalesce(percentile_cont(0.95) within group (order by write_duration_ms), 0
           )::double precision as write_ms,
       coalesce(percentile_cont(0.95) within group (order by read_duration_ms), 0
           )::double precision as read_ms
from (select write_duration_ms, read_duration_ms from bus.message_bus
      where transaction_id >= bus.first_id(pg_catalog.now() - interval '15 minutes')
      order by transaction_id desc limit 1000) recent

-- name: health_clock :one
select extract(epoch from pg_catalog.clock_timestamp())::double precision as epoch

-- name: health_daemons :many
select daemon, host, pid, breaker, spool_messages, spool_bytes, enabled, fallback,
       extract(epoch from pg_catalog.now() - seen_at)::double precision as silent,
       extract(epoch from pg_catalog.now() - breaker_since)::double precision as breaker_age,
       extract(epoch from pg_catalog.now() - spool_oldest)::double precision as spool_age,
       coalesce(detail ->> 'spool', host) as spool,
       coalesce((detail ->> 'aside')::integer, 0) as aside,
       coalesce(detail -> 'upstreams', '[]'::jsonb) as upstreams
from bus.daemon order by daemon

-- name: health_cron_tables :one
select pg_catalog.to_regclass('cron.job') is not null
       and pg_catalog.to_regclass('cron.job_run_details') is not null as is_there

-- name: health_cron_jobs :many
-- As the login, not as a bus role: pg_cron shows everybody their own jobs.
select job.jobid::integer as id, coalesce(job.jobname, job.jobid::text) as name, job.active,
       job.command ilike '%bus.cleanup%' as is_cleanup, last.status, last.return_message as said,
       extract(epoch from pg_catalog.now() - last.start_time)::double precision as age,
       (select count(*) from cron.job_run_details run
        where run.jobid = job.jobid and run.status = 'failed'
          and run.start_time > pg_catalog.now() - interval '1 day')::integer as failed
from cron.job job
left join lateral (
    select run.status, run.return_message, run.start_time from cron.job_run_details run
    where run.jobid = job.jobid and run.status in ('succeeded', 'failed')
    order by run.start_time desc limit 1) last on true
where job.command ilike '%bus.%' or job.command ilike '%cron.job_run_details%'
   or job.jobname like 'busctl%'
order by job.jobid

-- name: doctor_server :one
select current_setting('server_version') as version, current_database() as database,
       current_setting('max_connections') as max_connections,
       current_setting('statement_timeout') as statement_timeout,
       current_setting('default_transaction_read_only') as default_transaction_read_only,
       current_setting('data_checksums') as data_checksums,
       current_setting('ssl') as server_offers_tls,
       pg_catalog.pg_database_size(current_database()) as database_bytes,
       extract(epoch from pg_catalog.now() - pg_catalog.pg_postmaster_start_time()
           )::bigint as uptime_seconds

-- name: doctor_login :one
select current_user as login, rolsuper as is_superuser, rolcreaterole as may_create_roles,
       rolbypassrls as bypasses_row_security,
       pg_catalog.to_regrole('bus_writer') is not null
           and pg_catalog.pg_has_role('bus_writer', 'member') as is_bus_writer,
       pg_catalog.to_regrole('bus_reader') is not null
           and pg_catalog.pg_has_role('bus_reader', 'member') as is_bus_reader,
       pg_catalog.to_regrole('bus_janitor') is not null
           and pg_catalog.pg_has_role('bus_janitor', 'member') as is_bus_janitor,
       pg_catalog.has_database_privilege(current_database(), 'create') as may_create_schemas
from pg_catalog.pg_roles where rolname = current_user

-- name: doctor_extensions :many
select extname::text as name, extversion as version from pg_catalog.pg_extension order by 1

-- name: doctor_daemons :many
select daemon, host, version, started_at::text, seen_at::text, breaker, spool_messages,
       spool_bytes, sessions, inflight, enabled, fallback
from bus.daemon order by daemon

-- name: doctor_events :many
select at::text, daemon, kind, detail::text as detail from bus.system_event
order by at desc, seq desc limit 200

-- name: doctor_partitions :many
select parent, partition, lower_bound::text, upper_bound::text, estimated_rows, bytes
from bus.partitions order by parent, lower_bound
