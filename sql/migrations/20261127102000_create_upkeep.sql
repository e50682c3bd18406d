-- When each task of upkeep last ran, whoever ran it: a cleanup that nobody runs shows nowhere else.

create table bus.upkeep (
    task text primary key,
    at timestamptz not null default pg_catalog.now(),
    detail jsonb not null default '{}'
);
comment on table bus.upkeep is 'The last run of each task of upkeep, such as cleanup.';
alter table bus.upkeep enable row level security;
alter table bus.upkeep force row level security;
revoke all on bus.upkeep from public;
grant select on bus.upkeep to bus_reader;
create policy upkeep_read on bus.upkeep for select to bus_reader using (task is not null);
create policy upkeep_keep on bus.upkeep for all to bus_janitor
    using (task is not null) with check (task is not null);
alter table bus.upkeep owner to bus_janitor;
revoke truncate on bus.upkeep from bus_janitor;
select bus.revoke_stray_grants();
