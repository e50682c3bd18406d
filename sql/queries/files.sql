-- Named queries of the files that calls name: copies at providers, and texts on the bus.

-- name: provider_file_find :one
select file_id, name, size_bytes, uploaded_at, seen_at, expires_at
from bus.provider_file
where sha256 = %(sha256)b and provider = %(provider)b and account = %(account)b
  and purpose = %(purpose)b and file_id is not null
  and (expires_at is null or expires_at > now())

-- name: provider_file_begin :one
-- The right to upload it: for whoever is first, and again once that one's lease ran out or the
-- provider has forgotten the copy.
insert into bus.provider_file as known (
    sha256, provider, account, purpose, name, size_bytes, holder, lease_until)
values (%(sha256)b, %(provider)b, %(account)b, %(purpose)b, %(name)b, %(bytes)b, %(holder)b,
        clock_timestamp() + make_interval(secs => %(lease)b::double precision))
on conflict (sha256, provider, account, purpose) do update
set name = excluded.name, holder = excluded.holder, lease_until = excluded.lease_until,
    file_id = null, uploaded_at = null, seen_at = null, expires_at = null
where case when known.file_id is null
           then known.holder is null or known.lease_until <= clock_timestamp()
           else known.expires_at <= clock_timestamp() end
returning true

-- name: provider_file_renew :one
update bus.provider_file
set lease_until = clock_timestamp() + make_interval(secs => %(lease)b::double precision)
where sha256 = %(sha256)b and provider = %(provider)b and account = %(account)b
  and purpose = %(purpose)b and holder = %(holder)b and file_id is null
returning true

-- name: provider_file_done :one
update bus.provider_file
set file_id = %(file_id)b, holder = null, uploaded_at = clock_timestamp(),
    seen_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => %(lasting)b::double precision)
where sha256 = %(sha256)b and provider = %(provider)b and account = %(account)b
  and purpose = %(purpose)b and holder = %(holder)b and file_id is null
returning true

-- name: provider_file_seen :none
update bus.provider_file set seen_at = clock_timestamp()
where provider = %(provider)b and account = %(account)b and file_id = %(file_id)b

-- name: provider_file_free :none
delete from bus.provider_file
where sha256 = %(sha256)b and provider = %(provider)b and account = %(account)b
  and purpose = %(purpose)b and holder = %(holder)b and file_id is null

-- name: provider_file_forget :one
with gone as (
    delete from bus.provider_file
    where provider = %(provider)b and account = %(account)b and file_id = %(file_id)b
    returning 1)
select count(*) from gone

-- name: provider_file_list :many
select encode(sha256, 'hex'), provider, account, purpose, name, size_bytes, file_id, uploaded_at,
       seen_at, expires_at
from bus.provider_file
where file_id is not null
  and (%(provider)b::text is null or provider = %(provider)b)
order by uploaded_at desc, file_id

-- name: file_text_find :one
select transaction_id from bus.file_text
where sha256 = %(sha256)b and owner = %(owner)b and source = %(source)b
  and expires_at > now() + interval '1 minute'

-- name: file_text_keep :none
insert into bus.file_text as known (sha256, owner, source, transaction_id, expires_at)
values (%(sha256)b, %(owner)b, %(source)b, %(id)b, %(until)b::timestamptz)
on conflict (sha256, owner, source) do update
set transaction_id = excluded.transaction_id, expires_at = excluded.expires_at

-- name: file_text_list :many
select owner, source, transaction_id, expires_at from bus.file_text
where sha256 = %(sha256)b order by expires_at desc
