-- Alerts: what checks found, watched until it has lasted, raised once and cleared once whoever
-- looks. bus.alert is how each one stands; bus.alert_notice what was to be told of it, and to whom
-- it was told.

create table bus.alert (
    kind text not null,
    subject text not null,
    host text not null,
    grade integer not null check (grade between 1 and 3),
    message text not null,
    remedy text not null,
    raised_at timestamptz,
    since timestamptz not null,
    seen_at timestamptz not null,
    bad integer not null check (bad >= 0),
    good integer not null check (good >= 0),
    good_since timestamptz,
    constraint alert_pkey primary key (kind, subject, host)
);
comment on table bus.alert is 'How each alert stands: watched (raised_at is null) or raised. A cleared one is no longer here.';
comment on column bus.alert.host is 'The machine it is about; empty for what all machines see alike.';

create table bus.alert_notice (
    notice uuid primary key,
    seq bigint not null generated always as identity,
    at timestamptz not null,
    change text not null check (change in ('raised', 'worsened', 'cleared', 'test')),
    kind text not null,
    subject text not null,
    host text not null,
    grade integer not null,
    message text not null,
    remedy text not null,
    since timestamptz not null,
    seen_by text not null,
    done boolean not null default false,
    attempts integer not null default 0,
    claimed_until timestamptz not null default '-infinity',
    outcomes jsonb not null default '{}'
);
create index alert_notice_open on bus.alert_notice (seq) where not done;
create index alert_notice_seq on bus.alert_notice (seq);
comment on table bus.alert_notice is 'What was to be told of alerts. outcomes: for each sink null when it took it, else why not.';

alter table bus.alert enable row level security;
alter table bus.alert force row level security;
alter table bus.alert_notice enable row level security;
alter table bus.alert_notice force row level security;
revoke all on bus.alert, bus.alert_notice from public;
grant select, insert, update, delete on bus.alert to bus_writer;
grant select, insert, update, delete on bus.alert_notice to bus_writer;
grant select on bus.alert, bus.alert_notice to bus_reader;

create policy alert_write on bus.alert for all to bus_writer
    using (kind is not null) with check (kind is not null);
create policy alert_read on bus.alert for select to bus_reader using (kind is not null);
create policy alert_keep on bus.alert for select to bus_janitor using (kind is not null);
create policy alert_notice_write on bus.alert_notice for all to bus_writer
    using (kind is not null) with check (kind is not null);
create policy alert_notice_read on bus.alert_notice for select to bus_reader
    using (kind is not null);
create policy alert_notice_keep on bus.alert_notice for select to bus_janitor
    using (kind is not null);
alter table bus.alert owner to bus_janitor;
alter table bus.alert_notice owner to bus_janitor;
revoke insert, update, delete, truncate on bus.alert, bus.alert_notice from bus_janitor;
select bus.revoke_stray_grants();
