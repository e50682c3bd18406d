-- Alerts. They are written in one transaction under one lock, so that each is raised once and
-- cleared once however many daemons and cron jobs look.

-- name: alert_lock :one
select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('busctl.alert'))

-- name: alert_list :many
select kind, subject, host, grade, message, remedy, raised_at, since, seen_at, bad, good,
       good_since
from bus.alert order by raised_at nulls last, kind, subject, host

-- name: alert_forget :none
delete from bus.alert
where (kind, subject, host) in (
    select gone.kind, gone.subject, gone.host
    from unnest(%(kinds)b::text[], %(subjects)b::text[], %(hosts)b::text[])
        as gone (kind, subject, host))

-- name: alert_keep :none
insert into bus.alert (kind, subject, host, grade, message, remedy, raised_at, since, seen_at, bad,
                       good, good_since)
values (%(kind)b, %(subject)b, %(host)b, %(grade)b::integer, %(message)b, %(remedy)b,
        %(raised)b::timestamptz, %(since)b::timestamptz, %(seen)b::timestamptz, %(bad)b::integer,
        %(good)b::integer, %(good_since)b::timestamptz)
on conflict (kind, subject, host) do update set
    grade = excluded.grade, message = excluded.message, remedy = excluded.remedy,
    raised_at = excluded.raised_at, since = excluded.since, seen_at = excluded.seen_at,
    bad = excluded.bad, good = excluded.good, good_since = excluded.good_since

-- name: alert_notice_add :none
insert into bus.alert_notice (notice, at, change, kind, subject, host, grade, message, remedy,
                              since, seen_by, done, attempts, outcomes)
values (%(notice)b, %(at)b::timestamptz, %(change)b, %(kind)b, %(subject)b, %(host)b,
        %(grade)b::integer, %(message)b, %(remedy)b, %(since)b::timestamptz, %(seen_by)b,
        %(done)b, %(attempts)b::integer, %(outcomes)b)
on conflict (notice) do nothing

-- name: alert_event_add :none
insert into bus.system_event (at, daemon, kind, detail)
values (%(at)b::timestamptz, %(seen_by)b, %(kind)b, %(detail)b)

-- name: alert_notice_claim :many
-- Whoever claims a notice delivers it; after a crash another may, when the claim has run out.
update bus.alert_notice claimed
set claimed_until = now() + make_interval(secs => %(lease)b::double precision),
    attempts = attempts + 1
where notice in (
    select notice from bus.alert_notice
    where not done and claimed_until < now()
    order by seq limit %(limit)b::integer for update skip locked)
returning notice, at, change, kind, subject, host, grade, message, remedy, since, seen_by,
          done, attempts, outcomes

-- name: alert_notice_settle :none
update bus.alert_notice
set done = %(done)b, outcomes = %(outcomes)b, claimed_until = '-infinity'
where notice = %(notice)b

-- name: alert_notice_list :many
select notice, at, change, kind, subject, host, grade, message, remedy, since, seen_by,
       done, attempts, outcomes
from bus.alert_notice order by seq desc limit %(limit)b::integer

-- name: alert_notice_expire :none
delete from bus.alert_notice where done and at < %(before)b::timestamptz

-- name: alert_notice_undelivered :many
select notice, at, change, kind, subject, host, grade, message, remedy, since, seen_by,
       done, attempts, outcomes
from bus.alert_notice where not done and attempts > 0 order by seq limit 100
