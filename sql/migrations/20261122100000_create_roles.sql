-- The schema, its three roles, and the record of migrations.
-- The roles are not logins: the session's own role switches to the least one that a statement
-- needs, because an owner with BYPASSRLS (Supabase's postgres) would read through every policy.

create schema if not exists bus;
comment on schema bus is 'busctl message bus. Not for an API: keep it out of the exposed schemas.';

do $$
declare
    wanted text;
    modern constant boolean := pg_catalog.current_setting('server_version_num')::integer >= 160000;
    needed constant text := case when modern then 'set' else 'member' end;
    options constant text := case when modern then 'with inherit true, set true' else '' end;
begin
    -- Roles belong to the whole cluster: two databases migrated at once meet here. Whoever loses
    -- the race to create a role finds it made.
    foreach wanted in array array['bus_writer', 'bus_reader', 'bus_janitor'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = wanted) then
            begin
                execute pg_catalog.format('create role %I nologin noinherit', wanted);
            exception when duplicate_object or unique_violation then
                raise notice 'role % was created by another session', wanted;
            end;
        end if;
        -- From 16 on whoever creates a role may administer it, but neither become it nor use its
        -- rights; before, 'member' was both. A superuser needs no grant and gets none.
        if not pg_catalog.pg_has_role(current_user, wanted, needed)
           or not pg_catalog.pg_has_role(current_user, wanted, 'usage')
        then
            begin
                execute pg_catalog.format('grant %I to %I %s', wanted, current_user, options);
            exception when unique_violation then
                raise notice 'role % was granted by another session', wanted;
            end;
        end if;
    end loop;
end
$$;

revoke all on schema bus from public;
grant usage on schema bus to bus_writer, bus_reader;
-- The janitor owns the partitioned tables (migration 20261122100100) and makes their partitions.
grant usage, create on schema bus to bus_janitor;

create table if not exists bus.migration (
    version text primary key check (version ~ '^[0-9]{14}$'),
    name text not null,
    checksum text not null check (checksum ~ '^[0-9a-f]{64}$'),
    applied_at timestamptz not null default pg_catalog.clock_timestamp(),
    applied_by text not null default current_user
);
comment on table bus.migration is 'Which migration files were applied, with the SHA-256 of each file.';
alter table bus.migration enable row level security;
revoke all on bus.migration from public;
grant select on bus.migration to bus_writer, bus_reader, bus_janitor;
create policy migration_read on bus.migration for select
    to bus_writer, bus_reader, bus_janitor using (version is not null);
