-- Each message has exactly one countable path: stored; fell back and reconciled; fell back and
-- waiting. The first two are told apart by the message's events.

-- What a writer must see so that a reconciling that is repeated says so once.
grant select (transaction_id, kind) on bus.message_event to bus_writer;
create policy event_recognise on bus.message_event for select to bus_writer
    using (kind = 'reconciled');

-- Both events of a message that came by way of a spool, unless it has them; and that its request
-- was answered, so that it is not run again.
create function bus.message_reconciled(
    id uuid, fell_back timestamptz, fell_back_hop text, fell_back_detail jsonb,
    reconciled_hop text, reconciled_detail jsonb,
    principal text, session text, request text, ttl_seconds double precision) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    is_new boolean;
begin
    insert into bus.message_event (transaction_id, at, kind, hop, detail)
    select id, step.at, step.kind, step.hop, step.detail
    from (values (fell_back, 'fell_back', fell_back_hop, fell_back_detail),
                 (pg_catalog.clock_timestamp(), 'reconciled', reconciled_hop, reconciled_detail))
        as step (at, kind, hop, detail)
    where not exists (select from bus.message_event known
                      where known.transaction_id = id and known.kind = 'reconciled');
    is_new := found;
    if request is not null then
        insert into bus.request (owner, session_id, request_id, transaction_id, daemon, lease_until,
                                 expires_at, answered)
        values (principal, session, request, id, reconciled_hop, pg_catalog.clock_timestamp(),
                pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => ttl_seconds), true)
        on conflict do nothing;
    end if;
    return is_new;
end
$$;
revoke all on function bus.message_reconciled(
    uuid, timestamptz, text, jsonb, text, jsonb, text, text, text, double precision) from public;
grant create on schema bus to bus_writer;
alter function bus.message_reconciled(
    uuid, timestamptz, text, jsonb, text, jsonb, text, text, text, double precision)
    owner to bus_writer;
revoke create on schema bus from bus_writer;

create view bus.message_paths with (security_invoker = true) as
select message.transaction_id, message.created_at, message.owner, message.tool_name,
       case when exists (select from bus.message_event event
                         where event.transaction_id = message.transaction_id
                           and event.kind = 'reconciled')
            then 'reconciled' else 'stored' end as path
from bus.message_bus message;
comment on view bus.message_paths is 'How each message got here: stored at once, or by way of a spool.';

create view bus.paths with (security_invoker = true) as
select path, count(*) as messages from bus.message_paths group by path
union all
select 'waiting', coalesce(sum(spool_messages), 0)
from (select distinct on (host, detail ->> 'spool') spool_messages
      from bus.daemon order by host, detail ->> 'spool', seen_at desc) spool;
comment on view bus.paths is 'Messages by path; waiting: in the spools, as the daemons said last.';
revoke all on bus.message_paths, bus.paths from public;
grant select on bus.message_paths, bus.paths to bus_reader;
select bus.revoke_stray_grants();
