-- What daemons say of themselves.

-- name: daemon_seen :none
insert into bus.daemon (
    daemon, host, pid, version, started_at, seen_at, breaker, breaker_since, spool_messages,
    spool_bytes, spool_oldest, sessions, inflight, enabled, fallback, detail)
values (
    %(daemon)b, %(host)b, %(pid)b::integer, %(version)b, %(started)b::timestamptz, now(),
    %(breaker)b, %(since)b::timestamptz, %(messages)b::integer, %(bytes)b::bigint,
    %(oldest)b::timestamptz, %(sessions_open)b::integer, %(inflight)b::integer, %(enabled)b,
    %(fallback)b, %(detail)b)
on conflict (daemon) do update set
    seen_at = now(), breaker = excluded.breaker, breaker_since = excluded.breaker_since,
    spool_messages = excluded.spool_messages, spool_bytes = excluded.spool_bytes,
    spool_oldest = excluded.spool_oldest, sessions = excluded.sessions,
    inflight = excluded.inflight, detail = excluded.detail

-- name: daemon_left :none
delete from bus.daemon where daemon = %(daemon)b

-- name: daemon_list :many
select daemon, host, pid, version, started_at, seen_at, breaker, breaker_since, spool_messages,
       spool_bytes, spool_oldest, sessions, inflight, enabled, fallback, detail
from bus.daemon order by started_at

-- name: system_event_insert :none
insert into bus.system_event (at, daemon, kind, detail)
select at, daemon, kind, coalesce(detail, '{}')
from unnest(%(moments)b::timestamptz[], %(daemons)b::text[], %(kinds)b::text[],
            %(details)b::jsonb[]) as event (at, daemon, kind, detail)

-- name: system_event_list :many
select at, daemon, kind, detail from bus.system_event
where at >= %(after_time)b::timestamptz
  and (%(kinds)b::text[] is null or kind = any (%(kinds)b::text[]))
order by at desc, seq desc limit %(limit)b::integer

-- name: message_reconciled :one
select bus.message_reconciled(
    %(id)b, %(fell_back)b::timestamptz, %(hop)b, %(detail)b, %(reconciled_hop)b,
    %(reconciled_detail)b, %(owner)b, %(session)b, %(request)b, %(ttl)b::double precision)
