-- Named queries of conversations.

-- name: conversation_begin :one
-- The turn, for whoever asks while nobody has it.
insert into bus.conversation as known (owner, conversation_id, holder, lease_until, expires_at)
values (%(owner)b, %(conversation)b, %(holder)b,
        clock_timestamp() + make_interval(secs => %(lease)b::double precision),
        clock_timestamp() + make_interval(secs => %(ttl)b::double precision))
on conflict (owner, conversation_id) do update
set holder = excluded.holder, lease_until = excluded.lease_until
where known.holder is null or known.lease_until <= clock_timestamp()
returning turns, provider

-- name: conversation_renew :one
update bus.conversation
set lease_until = clock_timestamp() + make_interval(secs => %(lease)b::double precision)
where owner = %(owner)b and conversation_id = %(conversation)b and holder = %(holder)b
returning true

-- name: conversation_free :none
update bus.conversation set holder = null
where owner = %(owner)b and conversation_id = %(conversation)b and holder = %(holder)b

-- name: conversation_parts :many
select turn, role, transaction_id, detail from bus.conversation_part
where owner = %(owner)b and conversation_id = %(conversation)b
order by turn, place

-- name: conversation_prolong :none
-- The messages of a conversation end together, one TTL after its latest turn.
update bus.message_bus message
set expires_at = clock_timestamp() + make_interval(secs => %(ttl)b::double precision)
where message.transaction_id = any (array(
        select transaction_id from bus.conversation_part
        where owner = %(owner)b and conversation_id = %(conversation)b))
    and message.owner = %(owner)b
    and message.expires_at > now()
    and message.expires_at < clock_timestamp() + make_interval(secs => %(ttl)b::double precision)

-- name: conversation_add :one
-- One turn, whole: its parts and its number, and the turn given back.
with taken as (
    update bus.conversation
    set turns = turns + 1, provider = %(provider)b, holder = null,
        expires_at = greatest(expires_at,
            clock_timestamp() + make_interval(secs => %(ttl)b::double precision))
    where owner = %(owner)b and conversation_id = %(conversation)b and holder = %(holder)b
    returning turns
), added as (
    insert into bus.conversation_part (
        owner, conversation_id, turn, place, role, transaction_id, detail)
    select %(owner)b, %(conversation)b, taken.turns, part.place, part.role, part.id, part.detail
    from taken, unnest(%(roles)b::text[], %(ids)b::uuid[], %(details)b::jsonb[])
        with ordinality as part (role, id, detail, place)
    returning 1
)
select turns from taken
