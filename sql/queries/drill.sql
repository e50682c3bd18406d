-- What fault drills do to a database that may be thrown away. Run as its owner.

-- name: drill_end_session :one
select pg_catalog.pg_terminate_backend(%(pid)b::integer)

-- name: drill_read_only :none
do $$ begin
    execute format('alter database %I set default_transaction_read_only = on', current_database());
end $$

-- name: drill_read_write :none
do $$ begin
    execute format('alter database %I reset default_transaction_read_only', current_database());
end $$

-- name: drill_paths :many
select transaction_id, array_agg(kind order by at)
from bus.message_event where transaction_id = any(%(ids)b::uuid[]) group by transaction_id

-- name: drill_foreign :one
select count(*) from bus.message_bus
where coalesce(session_id, '') !~ '^[a-z]+(-[a-z]+)*-([0-9]+-([0-9]+-caller-[0-9]+|probe)|writers)$'
