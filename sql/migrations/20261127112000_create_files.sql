-- Files that calls name: which copy of which content lies with which provider, and where on the bus
-- its text is. A provider's account is the digest of its key, never the key.

create table bus.provider_file (
    sha256 bus.sha256 not null,
    provider text not null,
    account text not null,
    purpose text not null,
    name text not null,
    size_bytes bigint not null check (size_bytes >= 0),
    file_id text,
    holder text,
    lease_until timestamptz not null,
    uploaded_at timestamptz,
    seen_at timestamptz,
    expires_at timestamptz,
    constraint provider_file_pkey primary key (sha256, provider, account, purpose)
);
comment on table bus.provider_file is 'Copies of files at providers, one for each content.';
comment on column bus.provider_file.account is 'Digest of the key under which it lies there.';
comment on column bus.provider_file.file_id is 'Its id there; null while somebody uploads it.';
comment on column bus.provider_file.holder is 'Who uploads it, until lease_until.';

-- One text a content, owner and source: messages belong to one principal.
create table bus.file_text (
    sha256 bus.sha256 not null,
    owner text not null,
    source text not null,
    transaction_id uuid not null,
    expires_at timestamptz not null,
    constraint file_text_pkey primary key (sha256, owner, source)
);
comment on table bus.file_text is 'The message that holds the text of a file.';

alter table bus.provider_file enable row level security;
alter table bus.provider_file force row level security;
alter table bus.file_text enable row level security;
alter table bus.file_text force row level security;
revoke all on bus.provider_file, bus.file_text from public;
grant select, insert, update, delete on bus.provider_file, bus.file_text to bus_writer;
grant select on bus.provider_file, bus.file_text to bus_reader;
create policy provider_file_write on bus.provider_file for all to bus_writer
    using (sha256 is not null) with check (sha256 is not null);
create policy provider_file_read on bus.provider_file for select to bus_reader
    using (sha256 is not null);
create policy provider_file_keep on bus.provider_file for all to bus_janitor
    using (sha256 is not null) with check (sha256 is not null);
create policy file_text_write on bus.file_text for all to bus_writer
    using (sha256 is not null) with check (sha256 is not null);
create policy file_text_read on bus.file_text for select to bus_reader
    using (sha256 is not null);
create policy file_text_keep on bus.file_text for all to bus_janitor
    using (sha256 is not null) with check (sha256 is not null);
alter table bus.provider_file owner to bus_janitor;
alter table bus.file_text owner to bus_janitor;
revoke truncate on bus.provider_file, bus.file_text from bus_janitor;
select bus.revoke_stray_grants();
