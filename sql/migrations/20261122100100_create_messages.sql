-- Messages and their chunks, both range-partitioned by the UUIDv7 transaction id: the id alone is
-- the primary key, a look-up touches one partition, and expiry is the drop of a partition.

create type bus.message_type as enum ('tool_response', 'watcher_observation', 'error');
create type bus.message_status as enum ('pending', 'delivered', 'expired', 'error');
create type bus.compression as enum ('none', 'gzip', 'zstd');
-- Enum and domain types hold the columns to their values at a third of the cost of check
-- constraints, which a partition compiles anew for every statement (measured: 30 of 80 us a row).
create domain bus.sha256 as bytea check (octet_length(value) = 32);

create table bus.message_bus (
    transaction_id uuid not null,
    created_at timestamptz not null default pg_catalog.now(),
    expires_at timestamptz not null,
    seq bigint not null generated always as identity,
    xid xid8 not null default pg_catalog.pg_current_xact_id(),
    retrieved_at timestamptz,
    payload_size_bytes bigint not null,
    stored_size_bytes bigint not null,
    chunk_count integer not null default 0,
    retrieved_count integer not null default 0,
    write_duration_ms real,
    read_duration_ms real,
    pinned boolean not null default false,
    message_type bus.message_type not null,
    status bus.message_status not null default 'pending',
    compression bus.compression not null,
    content_type text not null,
    owner text not null,
    tool_name text,
    session_id text,
    request_id text,
    checksum bus.sha256 not null,
    stored_checksum bus.sha256 not null,
    metadata jsonb not null default '{}',
    payload bytea,
    constraint message_bus_pkey primary key (transaction_id)
) partition by range (transaction_id);

-- The writer has compressed already; pglz on top costs time and a second copy.
alter table bus.message_bus alter column payload set storage external;
create index message_bus_expires_at on bus.message_bus
    using brin (expires_at) with (pages_per_range = 16, autosummarize = on);
create index message_bus_pinned on bus.message_bus (transaction_id) where pinned;

create table bus.message_chunk (
    transaction_id uuid not null,
    seq integer not null,
    raw_size integer not null,
    raw_checksum bus.sha256 not null,
    stored_checksum bus.sha256 not null,
    body bytea not null,
    constraint message_chunk_pkey primary key (transaction_id, seq)
) partition by range (transaction_id);
alter table bus.message_chunk alter column body set storage external;

comment on table bus.message_bus is 'One row a message; the body is here up to 1 MiB of raw payload.';
comment on table bus.message_chunk is 'Bodies over 1 MiB: 1 MiB of raw payload a row, each a frame of its own.';
comment on column bus.message_bus.checksum is 'SHA-256 of the raw payload.';
comment on column bus.message_bus.stored_checksum is 'SHA-256 of the stored bytes, all chunks in order.';
comment on column bus.message_bus.seq is 'Insertion order; gaps are normal.';
comment on column bus.message_bus.xid is 'The writing transaction: a follower may not pass the oldest one running.';

alter table bus.message_bus enable row level security;
alter table bus.message_bus force row level security;
alter table bus.message_chunk enable row level security;
alter table bus.message_chunk force row level security;
revoke all on bus.message_bus, bus.message_chunk from public;

grant insert on bus.message_bus, bus.message_chunk to bus_writer;
-- What a writer must see to find that a retry is the same message.
grant select (transaction_id, created_at, expires_at, checksum, payload_size_bytes)
    on bus.message_bus to bus_writer;
grant select on bus.message_bus, bus.message_chunk to bus_reader;
-- What recording a delivery changes, and no more.
grant update (status, retrieved_at, retrieved_count, read_duration_ms)
    on bus.message_bus to bus_reader;

create policy message_write on bus.message_bus for insert to bus_writer
    with check (retrieved_count = 0 and status in ('pending', 'error'));
create policy message_recognise on bus.message_bus for select to bus_writer
    using (checksum is not null);
create policy message_read on bus.message_bus for select to bus_reader
    using (checksum is not null);
create policy message_deliver on bus.message_bus for update to bus_reader
    using (status in ('pending', 'delivered')) with check (status = 'delivered');
create policy message_keep on bus.message_bus for all to bus_janitor
    using (checksum is not null) with check (checksum is not null);
create policy chunk_write on bus.message_chunk for insert to bus_writer
    with check (raw_size between 1 and 1048576);
create policy chunk_read on bus.message_chunk for select to bus_reader
    using (raw_checksum is not null);
create policy chunk_keep on bus.message_chunk for all to bus_janitor
    using (raw_checksum is not null) with check (raw_checksum is not null);

-- A table's type may be used in a partition only by who has USAGE of it.
revoke all on type bus.message_type, bus.message_status, bus.compression, bus.sha256 from public;
grant usage on type bus.message_type, bus.message_status, bus.compression, bus.sha256
    to bus_janitor;

alter table bus.message_bus owner to bus_janitor;
alter table bus.message_chunk owner to bus_janitor;
-- An owner may do all by default; this one only what keeping messages takes.
revoke insert, update, truncate on bus.message_bus, bus.message_chunk from bus_janitor;
grant update (pinned, expires_at) on bus.message_bus to bus_janitor;
