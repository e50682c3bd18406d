drop function bus.cleanup(integer, interval);
alter function bus.cleanup_messages(integer, interval) rename to cleanup;
comment on function bus.cleanup(integer, interval)
    is 'Removes what has expired, in one transaction; for pg_cron. Otherwise use `busctl cleanup`.';
drop function bus.forget(timestamptz);
drop policy token_forget on bus.token;
revoke delete on bus.token from bus_janitor;
