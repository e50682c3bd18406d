-- Named queries of the tokens beside the daemon's own one.

-- name: token_find :one
select token_id, principal, scopes, created_at, expires_at, last_used_at, revoked_at, now(), digest
from bus.token where token_id = %(token_id)b

-- name: token_used :none
update bus.token set last_used_at = clock_timestamp() where token_id = %(token_id)b

-- name: token_add :one
insert into bus.token (token_id, digest, principal, scopes, expires_at)
values (%(token_id)b, %(digest)b, %(principal)b, %(scopes)b::text[],
        now() + make_interval(secs => %(ttl)b::double precision))
returning token_id, principal, scopes, created_at, expires_at, last_used_at, revoked_at, now()

-- name: token_list :many
select token_id, principal, scopes, created_at, expires_at, last_used_at, revoked_at, now()
from bus.token order by created_at, token_id

-- name: token_revoke :one
update bus.token set revoked_at = coalesce(revoked_at, clock_timestamp())
where token_id = %(token_id)b
returning token_id, principal, scopes, created_at, expires_at, last_used_at, revoked_at, now()
