-- ALTER DEFAULT PRIVILEGES may have granted what was made here to other roles the moment it was
-- made, as hosted databases do for their API's roles. Nobody but the owner and the bus roles keeps
-- a right here.

do $$
declare
    stray record;
    kept constant oid[] := array(
        select role.oid from pg_catalog.pg_roles role
        where role.rolname in ('bus_writer', 'bus_reader', 'bus_janitor'));
begin
    for stray in
        with thing (kind, name, owner, acl) as (
            select 'schema', space.nspname::text, space.nspowner, space.nspacl
            from pg_catalog.pg_namespace space where space.nspname = 'bus'
            union all
            select case code.prokind when 'p' then 'procedure' else 'function' end,
                   code.oid::pg_catalog.regprocedure::text, code.proowner, code.proacl
            from pg_catalog.pg_proc code
            where code.pronamespace = 'bus'::pg_catalog.regnamespace
            union all
            select case class.relkind when 'S' then 'sequence' else 'table' end,
                   class.oid::pg_catalog.regclass::text, class.relowner, class.relacl
            from pg_catalog.pg_class class
            where class.relnamespace = 'bus'::pg_catalog.regnamespace
              and class.relkind in ('r', 'p', 'v', 'm', 'S')
            union all
            select 'type', type.oid::pg_catalog.regtype::text, type.typowner, type.typacl
            from pg_catalog.pg_type type
            where type.typnamespace = 'bus'::pg_catalog.regnamespace and type.typtype in ('e', 'd')
        )
        select distinct thing.kind, thing.name,
               case when item.grantee = 0 then 'public'
                    else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(item.grantee))
               end as grantee
        from thing, lateral pg_catalog.aclexplode(thing.acl) item
        where item.grantee <> thing.owner and item.grantee <> all (kept)
    loop
        execute pg_catalog.format(
            'revoke all on %s %s from %s', stray.kind, stray.name, stray.grantee);
    end loop;
end
$$;
