"""What each role may do, as one table: all that is not allowed is refused with 42501."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.postgres.errors import mapped
from tests.sql.conftest import login, make_hosted, run, up
from tests.sql.test_partitions import INSERT, current

W, R, J, H = "bus_writer", "bus_reader", "bus_janitor", "hosted"
NOBODY: set[str] = set()
ROLES = (W, R, J, H, "anon", "authenticated")
"""`hosted` owns the schema, is no superuser, bypasses row security and is in all bus roles."""

ID = "(select bus.first_id(timestamptz 'today'))"
NEW = "'{new}'::uuid"
CHUNK = f"({NEW}, 0, 1, sha256(''), sha256(''), '')"
PUT = (
    f"{NEW}, null, 60, 1, 1, 0, 'tool_response', 'none', 'text/plain', 'me', null, null, null, "
    "sha256('x'), null, null, 'x'"
)
PUT_MANY = (
    f"array[{NEW}], null, 60, array[1::bigint], array[sha256('x')], array[null::bytea], "
    "array['x'::bytea], array[1], array['tool_response'], array['none'], array['text/plain'], "
    "array['me'], array[null::text], array[null::text], array[null::text], array[null::jsonb]"
)
MAY: list[tuple[str, set[str]]] = [
    # messages
    ("select payload from bus.message_bus", {R, J, H}),
    ("select transaction_id, checksum from bus.message_bus", {W, R, J, H}),
    ("select metadata from bus.message_bus", {R, J, H}),
    (INSERT.replace("bus.first_id(now())", NEW), {W, H}),
    ("update bus.message_bus set payload = 'other'", NOBODY),
    ("update bus.message_bus set checksum = sha256('other')", NOBODY),
    ("update bus.message_bus set owner = 'other'", NOBODY),
    ("update bus.message_bus set status = 'delivered', retrieved_count = 1", {R, H}),
    ("update bus.message_bus set status = 'expired'", {J, H}),  # R: by policy; H bypasses it
    ("update bus.message_bus set pinned = true", {J, H}),
    ("select from bus.message_bus for update", {R, J, H}),
    ("delete from bus.message_bus", {J, H}),
    ("truncate bus.message_bus", NOBODY),
    ("select nextval('bus.message_bus_seq_seq')", {J, H}),
    # chunks
    ("select body from bus.message_chunk", {R, J, H}),
    (f"insert into bus.message_chunk values {CHUNK}", {W, H}),
    ("update bus.message_chunk set body = 'other'", NOBODY),
    ("delete from bus.message_chunk", {J, H}),
    ("truncate bus.message_chunk", NOBODY),
    # events
    ("select detail from bus.message_event", {R, J, H}),
    ("select transaction_id, kind from bus.message_event", {W, R, J, H}),
    (f"insert into bus.message_event values ({NEW}, now(), 'kind', 'hop', null)", {W, R, J, H}),
    ("update bus.message_event set kind = 'other'", NOBODY),
    ("delete from bus.message_event", NOBODY),
    ("truncate bus.message_event", NOBODY),
    # requests, cursors, migrations
    ("select from bus.request", {W, R, J, H}),
    (f"insert into bus.request values ('a', 'b', 'c', {NEW}, 'd', now(), now())", {W, J, H}),
    ("update bus.request set answered = true", {W, J, H}),
    ("delete from bus.request", {J, H}),
    ("select from bus.watcher_cursor", {R, J, H}),
    ("insert into bus.watcher_cursor values ('a', 1, '1', 1)", {R, H}),  # J owns, without a policy
    ("select from bus.migration", {W, R, J, H}),
    ("update bus.migration set name = 'other'", {H}),
    ("delete from bus.migration", {H}),
    # the journal
    ("select from bus.daemon", {W, R, J, H}),
    ("insert into bus.daemon (daemon, host, pid, version, started_at, breaker, breaker_since) "
     "values ('d', 'h', 1, 'v', now(), 'closed', now())", {W, H}),
    ("update bus.daemon set seen_at = now()", {W, H}),
    ("delete from bus.daemon", {W, J, H}),
    ("truncate bus.daemon", NOBODY),
    ("select from bus.system_event", {R, J, H}),
    ("insert into bus.system_event (at, daemon, kind) values (now(), 'd', 'k')", {W, H}),
    ("update bus.system_event set kind = 'other'", NOBODY),
    ("delete from bus.system_event", {J, H}),
    ("truncate bus.system_event", NOBODY),
    ("select nextval('bus.system_event_seq_seq')", {J, H}),
    ("select * from bus.daemons", {R, H}),
    ("select * from bus.message_paths", {R, H}),
    ("select * from bus.paths", {R, H}),
    (f"select bus.message_reconciled({NEW}, now(), 'a', null, 'b', null, 'c', 'd', 'e', 1)",
     {W, H}),
    ("select bus.revoke_stray_grants()", {H}),
    # upkeep
    ("select from bus.upkeep", {R, J, H}),
    ("insert into bus.upkeep (task) values ('cleanup')", {J, H}),
    ("update bus.upkeep set at = now()", {J, H}),
    ("delete from bus.upkeep", {J, H}),
    ("truncate bus.upkeep", NOBODY),
    # traffic
    ("select from bus.traffic", {R, J, H}),
    ("insert into bus.traffic values (now(), 'o', 't', 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0)",
     {J, H}),
    ("update bus.traffic set messages = 2", {J, H}),
    ("delete from bus.traffic", {J, H}),
    ("truncate bus.traffic", NOBODY),
    ("select * from bus.flow('1 hour', '1 minute')", {R, H}),
    ("select * from bus.tool_flow('1 hour', 'me')", {R, H}),
    # tokens
    ("select file_id from bus.provider_file", {W, R, J, H}),
    ("insert into bus.provider_file (sha256, provider, account, purpose, name, size_bytes, "
     "lease_until) values (sha256('x'), 'p', 'a', 'p', 'n', 1, now())", {W, J, H}),
    ("delete from bus.provider_file", {W, J, H}),
    ("truncate bus.provider_file", NOBODY),
    ("select transaction_id from bus.file_text", {W, R, J, H}),
    ("delete from bus.file_text", {W, J, H}),
    ("truncate bus.file_text", NOBODY),
    ("select turns from bus.conversation", {W, R, J, H}),
    ("insert into bus.conversation (owner, conversation_id, lease_until, expires_at) "
     "values ('o', 'c', now(), now())", {W, J, H}),
    ("update bus.conversation set turns = 1", {W, J, H}),
    ("delete from bus.conversation", {J, H}),
    ("truncate bus.conversation cascade", NOBODY),
    ("select transaction_id from bus.conversation_part", {W, R, J, H}),
    ("update bus.conversation_part set turn = 2", {J, H}),
    ("delete from bus.conversation_part", {J, H}),
    ("truncate bus.conversation_part", NOBODY),
    ("select digest from bus.token", {R, J, H}),
    ("insert into bus.token values ('0123456789ab', sha256('x'), 'me', '{call}')", {J, H}),
    ("update bus.token set last_used_at = now()", {R, H}),
    ("update bus.token set revoked_at = now()", {J, H}),
    ("update bus.token set revoked_at = null, scopes = '{admin}'", NOBODY),
    ("update bus.token set digest = sha256('x')", NOBODY),
    ("delete from bus.token", {J, H}),  # of those that have ended: the policy, not the grant
    ("select * from bus.forget(now())", {J, H}),
    ("select * from bus.cleanup_messages()", {J, H}),
    ("truncate bus.token", NOBODY),
    # alerts
    ("select from bus.alert", {W, R, J, H}),
    ("insert into bus.alert values ('k', 's', 'h', 1, 'm', 'r', null, now(), now(), 1, 0)", {W, H}),
    ("update bus.alert set bad = 2", {W, H}),
    ("delete from bus.alert", {W, H}),
    ("truncate bus.alert", NOBODY),
    ("select from bus.alert_notice", {W, R, J, H}),
    ("insert into bus.alert_notice (notice, at, change, kind, subject, host, grade, message, "
     "remedy, since, seen_by) values (gen_random_uuid(), now(), 'raised', 'k', 's', 'h', 1, 'm', "
     "'r', now(), 'me')", {W, H}),
    ("update bus.alert_notice set done = true", {W, H}),
    ("delete from bus.alert_notice", {W, H}),
    ("truncate bus.alert_notice", NOBODY),
    ("select nextval('bus.alert_notice_seq_seq')", {J, H}),
    # partitions by name
    ("select payload from bus.{message_bus}", {J, H}),
    ("update bus.{message_bus} set payload = 'other'", NOBODY),
    ("insert into bus.{message_bus} default values", NOBODY),
    ("delete from bus.{message_bus}", {J, H}),
    ("truncate bus.{message_bus}", NOBODY),
    ("select body from bus.{message_chunk}", {J, H}),
    ("update bus.{message_chunk} set body = 'other'", NOBODY),
    ("select from bus.{message_event}", {J, H}),
    ("update bus.{message_event} set kind = 'other'", NOBODY),
    ("delete from bus.{message_event}", NOBODY),
    ("truncate bus.{message_event}", NOBODY),
    # views
    ("select * from bus.messages", {R, H}),
    ("select * from bus.message_history", {R, H}),
    ("select * from bus.followers", {R, H}),
    ("select * from bus.watcher_observations", {R, H}),
    ("select * from bus.watcher_findings", {R, H}),
    ("select bus.snapshot_now()", {R, H}),
    ("select bus.has_foreign_messages()", {R, H}),
    ("select bus.adopt_messages()", {J, H}),
    ("select bus.follow_cursor('f', null, false)", {R, H}),
    ("select bus.follow_late(array[]::xid8[], '0', 0, '3:3:', 1)", {R, H}),
    ("select bus.follow_claim('f', 'me', 1, 1, 0, null, false, null, null, null, null)", {R, H}),
    ("select bus.follow_lines('f', 'me', 1, 1, null, false, null, null, null, null)", {R, H}),
    ("select bus.follow_commit('f', 0, '3:3:', true, '0', 0)", {R, H}),
    ("select bus.follow_stay('f', 'me', 1, 1)", {R, H}),
    ("select bus.wake()", {R, H}),
    ("select * from bus.tool_activity", {R, H}),
    ("select * from bus.storage", {R, H}),
    ("select * from bus.partitions", {R, J, H}),
    # functions
    ("select bus.first_id(now())", {W, R, J, H}),
    (f"select bus.time_of({NEW})", {W, R, J, H}),
    ("select bus.partition_width('message_event')", {W, R, J, H}),
    ("select bus.ensure_partitions(now(), now() + interval '3 days')", {W, J, H}),
    ("select bus.ensure_partitions_of('message_bus', now(), now() + interval '3 days')", {J, H}),
    (f"select * from bus.message_put({PUT})", {W, H}),
    (f"select bus.message_put_many({PUT_MANY})", {W, H}),
    (f"select * from bus.message_get({NEW})", {R, H}),
    (f"select * from bus.chunk_get({NEW}, 0, 1)", {R, H}),
    (f"select bus.damaged_parts({NEW})", {R, H}),
    (f"select bus.record_deliveries(array[{NEW}, {NEW}], array[now(), now()], array[1, 2]::real[], "
     "array['a', 'b'], array[null, null]::jsonb[])", {R, H}),
    (f"select bus.record_events(array[{NEW}], array[now()], array['k'], array['h'], "
     "array[null]::jsonb[])", {W, H}),
    (f"select bus.mark_damaged(array[{NEW}], array['{{}}']::jsonb[])", {J, H}),
    (f"select * from bus.request_begin('a', 'b', 'c', {NEW}, 'd', 1, 1)", {W, H}),
    ("select bus.request_renew('a', 'b', 'c', 'd', 1, true)", {W, H}),
    ("select * from bus.cleanup()", {J, H}),
    # the schema itself
    ("create table bus.stranger ()", {J, H}),
    ("alter table bus.message_bus disable row level security", {J, H}),
]  # fmt: skip


@pytest.fixture(scope="module")
def arena(cluster: embedded.Server) -> Iterator[dict[str, psycopg.Connection[tuple[object, ...]]]]:
    """A connection of each role to one database that holds a message and an event of today."""
    dsn = make_hosted(cluster)
    asyncio.run(up(dsn))
    run(dsn, f"select bus.message_put({PUT.format(new=new_id(dsn))})")
    admin = login(dsn, str(psycopg.conninfo.conninfo_to_dict(cluster.dsn)["user"]))
    sessions = {}
    for role in ROLES:
        bus_role = role.startswith("bus_")
        session = psycopg.connect(admin if bus_role else login(dsn, role))
        if bus_role:
            session.execute(f"set role {role}".encode())
            session.commit()
        sessions[role] = session
    yield sessions
    for session in sessions.values():
        session.close()


def new_id(dsn: str) -> str:
    return str(run(dsn, "select bus.first_id(now())")[0][0])


@pytest.mark.parametrize(("statement", "allowed"), MAY, ids=[statement for statement, _ in MAY])
def test_role_may(
    arena: dict[str, psycopg.Connection[tuple[object, ...]]], statement: str, allowed: set[str]
) -> None:
    text = concrete(statement, arena[H].info.dsn)
    assert {role for role, session in arena.items() if may(session, text)} == allowed


def concrete(statement: str, dsn: str) -> str:
    """With the names of today's partitions and a new id in place."""
    parents = ("message_bus", "message_chunk", "message_event")
    for parent in (parent for parent in parents if f"{{{parent}}}" in statement):
        statement = statement.replace(f"{{{parent}}}", current(parent, dsn))
    return statement.replace("{new}", new_id(dsn))


def may(session: psycopg.Connection[tuple[object, ...]], text: str) -> bool:
    """Whether it succeeds; 42501 is a no, any other error an error of this test."""
    try:
        session.execute(text.encode())
    except psycopg.errors.InsufficientPrivilege:
        return False
    finally:
        session.rollback()
    return True


def test_who_is_refused_is_told_which_roles_to_ask_for(
    arena: dict[str, psycopg.Connection[tuple[object, ...]]],
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
        arena["anon"].execute("select from bus.message_bus")
    arena["anon"].rollback()
    assert "Grant bus_writer, bus_reader and bus_janitor" in mapped(refused.value).remedy


def test_the_table_names_all_there_is(
    arena: dict[str, psycopg.Connection[tuple[object, ...]]],
) -> None:
    names = run(
        arena[H].info.dsn,
        "select relname from pg_class where relnamespace = 'bus'::regnamespace "
        "and relkind in ('r', 'p', 'v', 'm', 'S') and not relispartition "
        "union all select proname from pg_proc where pronamespace = 'bus'::regnamespace",
    )
    statements = " ".join(statement for statement, _ in MAY)
    missing = [name for (name,) in names if f"bus.{name}" not in statements]
    assert not missing


def test_nobody_outside_holds_any_right(
    arena: dict[str, psycopg.Connection[tuple[object, ...]]],
) -> None:
    dsn = arena[H].info.dsn
    for role in ("anon", "authenticated", "public"):
        assert (
            run(
                dsn,
                "select 'function', proname from pg_proc where pronamespace = 'bus'::regnamespace "
                f"and has_function_privilege('{role}', oid, 'execute') union all "
                "select 'relation', relname from pg_class where relnamespace = 'bus'::regnamespace "
                "and relkind in ('r', 'p', 'v') and "
                f"has_table_privilege('{role}', oid, 'select, insert, update, delete, truncate') "
                "union all select 'schema', nspname from pg_namespace where nspname = 'bus' "
                f"and has_schema_privilege('{role}', oid, 'usage, create') union all "
                "select 'type', typname from pg_type where typnamespace = 'bus'::regnamespace "
                f"and typtype in ('e', 'd') and has_type_privilege('{role}', oid, 'usage')",
            )
            == []
        )


def test_calls_of_the_hot_path_drop_to_the_least_role(
    arena: dict[str, psycopg.Connection[tuple[object, ...]]],
) -> None:
    rows = run(
        arena[H].info.dsn,
        "select proname, proowner::regrole::text from pg_proc "
        "where pronamespace = 'bus'::regnamespace and prosecdef",
    )
    owners = {row[0]: row[1] for row in rows}
    assert set(owners.values()) == {W, R, J}
    assert owners["message_put"] == owners["request_begin"] == W
    assert owners["message_get"] == owners["record_deliveries"] == R
    for role, flags in run(
        arena[H].info.dsn,
        "select rolname, rolsuper or rolcanlogin or rolcreaterole or rolcreatedb or rolbypassrls "
        "from pg_roles where rolname like 'bus\\_%'",
    ):
        assert not flags, role


def test_types_of_the_caller_are_not_the_functions(shared: str) -> None:
    """A type `text` in pg_temp with a check would run the caller's code as the function's owner."""
    with psycopg.connect(shared) as session:
        for statement in (
            "set role bus_writer",
            "create function pg_temp.taken(pg_catalog.text) returns boolean language plpgsql as "
            "$$ begin raise exception 'ran as %', current_user; end $$",
            *(
                f"create domain pg_temp.{name} as pg_catalog.{name} "
                "check (pg_temp.taken(value::pg_catalog.text))"
                for name in ("text", "timestamptz", "uuid", "bytea", "jsonb", "int4", "int8")
            ),
            "select bus.ensure_partitions(now() - interval '50 days', now() - interval '50 days')",
        ):
            session.execute(statement.encode())
        session.rollback()


def test_every_function_names_pg_temp_last(
    arena: dict[str, psycopg.Connection[tuple[object, ...]]],
) -> None:
    rows = run(
        arena[H].info.dsn,
        "select proname, proconfig from pg_proc where pronamespace = 'bus'::regnamespace",
    )
    assert rows
    for name, settings in rows:
        assert isinstance(settings, list)
        assert "search_path=pg_catalog, pg_temp" in settings, name
