-- name: schema_probe :one
-- The first statement on a new store. A backend whose number is not the one that the connection
-- was told sits behind a pooler that lends it out by transaction.
select pg_backend_pid(), (select max(version) from bus.migration)
