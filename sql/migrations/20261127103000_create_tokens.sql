-- Tokens beside the daemon's own one, so that several daemons on one database share them. Only the
-- SHA-256 of a token is here: see docs/decisions on why that is enough for 256 random bits.

create table bus.token (
    token_id text constraint token_pkey primary key check (token_id ~ '^[0-9a-f]{12}$'),
    digest bus.sha256 not null,
    principal text not null check (principal ~ '^[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?$'),
    scopes text [] not null
    check (scopes <@ array['call', 'read', 'admin'] and pg_catalog.cardinality(scopes) > 0),
    created_at timestamptz not null default pg_catalog.clock_timestamp(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);
comment on table bus.token is 'Tokens that clients may show the daemon; their digests only.';
comment on column bus.token.digest is 'SHA-256 of the whole token.';

alter table bus.token enable row level security;
alter table bus.token force row level security;
revoke all on bus.token from public;
-- The daemon recognises tokens as the reader, and notes their use; it can neither make nor revive
-- one. The janitor makes and revokes them.
grant select on bus.token to bus_reader;
grant update (last_used_at) on bus.token to bus_reader;
create policy token_recognise on bus.token for select to bus_reader
    using (digest is not null);
create policy token_use on bus.token for update to bus_reader
    using (revoked_at is null) with check (revoked_at is null);
create policy token_keep on bus.token for all to bus_janitor
    using (digest is not null) with check (digest is not null);
alter table bus.token owner to bus_janitor;
revoke update, delete, truncate on bus.token from bus_janitor;
grant update (revoked_at) on bus.token to bus_janitor;
select bus.revoke_stray_grants();
