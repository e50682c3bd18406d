-- The audit trail. It outlives the messages: after a partition is dropped, events still say that
-- an id existed, how large it was and what its digest was.

create table bus.message_event (
    transaction_id uuid not null,
    at timestamptz not null default pg_catalog.clock_timestamp(),
    kind text not null,
    hop text not null,
    detail jsonb
) partition by range (transaction_id);
create index message_event_id on bus.message_event (transaction_id);
comment on table bus.message_event is 'Append-only audit trail: stored, delivered, expired, corrupt, denied and so on.';

alter table bus.message_event enable row level security;
alter table bus.message_event force row level security;
revoke all on bus.message_event from public;
grant insert on bus.message_event to bus_writer, bus_reader;
grant select on bus.message_event to bus_reader;

create policy event_append on bus.message_event for insert to bus_writer, bus_reader
    with check (kind is not null);
create policy event_read on bus.message_event for select to bus_reader using (kind is not null);
-- No update: append-only. Old events leave by partition.
create policy event_keep on bus.message_event for select to bus_janitor using (kind is not null);
create policy event_append_janitor on bus.message_event for insert to bus_janitor
    with check (kind is not null);
alter table bus.message_event owner to bus_janitor;
-- Not by policy alone: Supabase's postgres, a member of this role, bypasses policies.
revoke update, delete, truncate on bus.message_event from bus_janitor;

-- Which request made which message: the same request is never run twice, whichever daemon it
-- reaches. `lease_until` is moved on while the tool runs.
create table bus.request (
    owner text not null,
    session_id text not null,
    request_id text not null,
    transaction_id uuid not null,
    daemon text not null,
    lease_until timestamptz not null,
    expires_at timestamptz not null,
    answered boolean not null default false,
    constraint request_pkey primary key (owner, session_id, request_id)
);
create index request_expires_at on bus.request (expires_at);
comment on table bus.request is 'De-duplication of tool calls by (owner, session, request id).';
alter table bus.request enable row level security;
alter table bus.request force row level security;
revoke all on bus.request from public;
grant select, insert, update on bus.request to bus_writer;
grant select on bus.request to bus_reader;
create policy request_write on bus.request for all to bus_writer
    using (transaction_id is not null) with check (transaction_id is not null);
create policy request_read on bus.request for select to bus_reader
    using (transaction_id is not null);
create policy request_keep on bus.request for all to bus_janitor
    using (transaction_id is not null) with check (transaction_id is not null);
alter table bus.request owner to bus_janitor;

-- Where each named follower has got to. `system_identifier` tells another cluster's numbers apart.
create table bus.watcher_cursor (
    name text primary key,
    system_identifier bigint not null,
    xid xid8 not null,
    seq bigint not null,
    moved_at timestamptz not null default pg_catalog.now()
);
comment on table bus.watcher_cursor is 'The position of each named follower.';
alter table bus.watcher_cursor enable row level security;
alter table bus.watcher_cursor force row level security;
revoke all on bus.watcher_cursor from public;
grant select, insert, update, delete on bus.watcher_cursor to bus_reader;
create policy cursor_keep on bus.watcher_cursor for all to bus_reader
    using (name is not null) with check (name is not null);
alter table bus.watcher_cursor owner to bus_janitor;
