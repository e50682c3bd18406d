-- What daemons say of themselves: one row each, and what happened to the system as a whole. Events
-- of single messages are in bus.message_event.

create table bus.daemon (
    daemon text primary key,
    host text not null,
    pid integer not null,
    version text not null,
    started_at timestamptz not null,
    seen_at timestamptz not null default pg_catalog.now(),
    breaker text not null check (breaker in ('closed', 'open', 'half_open')),
    breaker_since timestamptz not null,
    spool_messages integer not null default 0,
    spool_bytes bigint not null default 0,
    spool_oldest timestamptz,
    sessions integer not null default 0,
    inflight integer not null default 0,
    enabled boolean not null default true,
    fallback boolean not null default true,
    detail jsonb not null default '{}'
);
comment on table bus.daemon is 'One row a daemon, rewritten every few seconds and removed by a clean stop.';
comment on column bus.daemon.spool_messages is 'What waits in the spool of that host; daemons of one host may share it (detail: spool).';

create table bus.system_event (
    seq bigint generated always as identity primary key,
    at timestamptz not null,
    daemon text not null,
    kind text not null,
    detail jsonb not null default '{}'
);
create index system_event_at on bus.system_event (at);
comment on table bus.system_event is 'Append-only: breaker transitions, fallbacks, alerts. Those of a time without the store come later, with their own time.';

alter table bus.daemon enable row level security;
alter table bus.daemon force row level security;
alter table bus.system_event enable row level security;
alter table bus.system_event force row level security;
revoke all on bus.daemon, bus.system_event from public;
grant select, insert, update, delete on bus.daemon to bus_writer;
grant select on bus.daemon, bus.system_event to bus_reader;
grant insert on bus.system_event to bus_writer;

create policy daemon_write on bus.daemon for all to bus_writer
    using (daemon is not null) with check (daemon is not null);
create policy daemon_read on bus.daemon for select to bus_reader using (daemon is not null);
create policy daemon_keep on bus.daemon for all to bus_janitor
    using (daemon is not null) with check (daemon is not null);
create policy system_event_append on bus.system_event for insert to bus_writer
    with check (kind is not null);
create policy system_event_read on bus.system_event for select to bus_reader
    using (kind is not null);
create policy system_event_keep on bus.system_event for select to bus_janitor
    using (kind is not null);
create policy system_event_expire on bus.system_event for delete to bus_janitor
    using (kind is not null);
alter table bus.daemon owner to bus_janitor;
alter table bus.system_event owner to bus_janitor;
revoke insert, update, truncate on bus.daemon, bus.system_event from bus_janitor;

create view bus.daemons with (security_invoker = true) as
select daemon, host, pid, version, started_at, seen_at,
       seen_at > pg_catalog.now() - interval '30 seconds' as alive,
       pg_catalog.date_trunc('second', pg_catalog.now() - started_at) as uptime,
       breaker, breaker_since, spool_messages, spool_bytes,
       pg_catalog.pg_size_pretty(spool_bytes) as spool_size, spool_oldest, sessions, inflight,
       enabled, fallback, detail
from bus.daemon;
comment on view bus.daemons is 'Every daemon as it last said it was; alive: within the last 30 seconds.';
revoke all on bus.daemons from public;
grant select on bus.daemons to bus_reader;

-- Default privileges may have granted what was just made to other roles, as hosted databases do
-- for their API's roles; the migration before this one has the same for what came before it.
-- Later migrations end with `select bus.revoke_stray_grants()`.
create function bus.revoke_stray_grants() returns integer
    language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
declare
    stray record;
    revoked integer := 0;
    kept constant oid[] := array(
        select role.oid from pg_catalog.pg_roles role
        where role.rolname in ('bus_writer', 'bus_reader', 'bus_janitor'));
begin
    for stray in
        with thing (kind, name, owner, acl) as (
            select 'schema', space.nspname::text, space.nspowner, space.nspacl
            from pg_catalog.pg_namespace space where space.nspname = 'bus'
            union all
            select case code.prokind when 'p' then 'procedure' else 'function' end,
                   code.oid::pg_catalog.regprocedure::text, code.proowner, code.proacl
            from pg_catalog.pg_proc code
            where code.pronamespace = 'bus'::pg_catalog.regnamespace
            union all
            select case class.relkind when 'S' then 'sequence' else 'table' end,
                   class.oid::pg_catalog.regclass::text, class.relowner, class.relacl
            from pg_catalog.pg_class class
            where class.relnamespace = 'bus'::pg_catalog.regnamespace
              and class.relkind in ('r', 'p', 'v', 'm', 'S')
            union all
            select 'type', type.oid::pg_catalog.regtype::text, type.typowner, type.typacl
            from pg_catalog.pg_type type
            where type.typnamespace = 'bus'::pg_catalog.regnamespace and type.typtype in ('e', 'd')
        )
        select distinct thing.kind, thing.name,
               case when item.grantee = 0 then 'public'
                    else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(item.grantee))
               end as grantee
        from thing, lateral pg_catalog.aclexplode(thing.acl) item
        where item.grantee <> thing.owner and item.grantee <> all (kept)
    loop
        execute pg_catalog.format(
            'revoke all on %s %s from %s', stray.kind, stray.name, stray.grantee);
        revoked := revoked + 1;
    end loop;
    return revoked;
end
$$;
comment on function bus.revoke_stray_grants()
    is 'Takes every right in schema bus from all but owners and bus roles; for migrations.';
revoke all on function bus.revoke_stray_grants() from public;
select bus.revoke_stray_grants();
