-- Conversations with models. What was said are messages; here is their order, and whose turn it is.
-- The owner is part of the name: nobody reaches another's conversation by knowing its id.

create table bus.conversation (
    owner text not null,
    conversation_id text not null,
    provider text,
    turns integer not null default 0,
    holder text,
    lease_until timestamptz not null,
    expires_at timestamptz not null,
    constraint conversation_pkey primary key (owner, conversation_id)
);
comment on table bus.conversation is 'Conversations, and who has the turn until lease_until.';

create table bus.conversation_part (
    owner text not null,
    conversation_id text not null,
    turn integer not null,
    place integer not null,
    role text not null check (role in ('file', 'user', 'assistant')),
    transaction_id uuid not null,
    detail jsonb not null default '{}',
    constraint conversation_part_pkey primary key (owner, conversation_id, turn, place),
    constraint conversation_part_of foreign key (owner, conversation_id)
    references bus.conversation (owner, conversation_id) on delete cascade
);
comment on table bus.conversation_part is 'The messages of each turn, in their order.';

alter table bus.conversation enable row level security;
alter table bus.conversation force row level security;
alter table bus.conversation_part enable row level security;
alter table bus.conversation_part force row level security;
revoke all on bus.conversation, bus.conversation_part from public;
grant select, insert, update on bus.conversation to bus_writer;
grant select, insert on bus.conversation_part to bus_writer;
grant select on bus.conversation, bus.conversation_part to bus_reader;
create policy conversation_write on bus.conversation for all to bus_writer
    using (owner is not null) with check (owner is not null);
create policy conversation_read on bus.conversation for select to bus_reader
    using (owner is not null);
create policy conversation_keep on bus.conversation for all to bus_janitor
    using (owner is not null) with check (owner is not null);
create policy conversation_part_write on bus.conversation_part for all to bus_writer
    using (owner is not null) with check (owner is not null);
create policy conversation_part_read on bus.conversation_part for select to bus_reader
    using (owner is not null);
create policy conversation_part_keep on bus.conversation_part for all to bus_janitor
    using (owner is not null) with check (owner is not null);
alter table bus.conversation owner to bus_janitor;
alter table bus.conversation_part owner to bus_janitor;
revoke truncate on bus.conversation, bus.conversation_part from bus_janitor;
select bus.revoke_stray_grants();
