"""As Supabase's `postgres`, who owns everything and is no superuser; and as its API's roles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.errors import StoreTimeout
from busctl.core.samples import sample
from tests.conditions.commands import busctl
from tests.conditions.hosted import Hosted
from tests.sql import test_roles as matrix

API = ("anon", "authenticated", "service_role")
OUTSIDE = (*API, "authenticator", "public")
# Every object of the schema by kind, with the question whether {role} holds any right on it.
OBJECTS = {
    "schema": (
        "select nspname, has_schema_privilege('{role}', oid, 'usage, create') "
        "from pg_namespace where nspname = 'bus'"
    ),
    "table": (
        "select relname, has_table_privilege('{role}', oid, 'select, insert, update, delete, "
        "truncate, references, trigger') or has_any_column_privilege('{role}', oid, 'select, "
        "insert, update, references') from pg_class "
        "where relnamespace = 'bus'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')"
    ),
    "sequence": (
        "select relname, has_sequence_privilege('{role}', oid, 'usage, select, update') "
        "from pg_class where relnamespace = 'bus'::regnamespace and relkind = 'S'"
    ),
    "function": (
        "select proname, has_function_privilege('{role}', oid, 'execute') from pg_proc "
        "where pronamespace = 'bus'::regnamespace"
    ),
    "type": (
        "select typname, has_type_privilege('{role}', type.oid, 'usage') from pg_type type "
        "left join pg_class on typrelid = pg_class.oid where typnamespace = 'bus'::regnamespace "
        "and (typtype in ('e', 'd', 'r') or relkind = 'c')"
    ),
}


@pytest.fixture(scope="module")
def dsn(hosted: Hosted) -> str:
    """Migrated, with a message and its partitions in it."""
    chosen = hosted.project("roles")
    busctl(hosted, chosen, "migrate", "up")
    return chosen


def test_postgres_is_no_superuser(hosted: Hosted, dsn: str) -> None:
    with psycopg.connect(dsn) as session:
        row = session.execute(
            "select rolsuper, rolbypassrls, current_setting('statement_timeout') "
            "from pg_roles where rolname = current_user"
        ).fetchone()
    assert row == (False, True, "2min")


def test_a_message_from_put_to_cleanup(hosted: Hosted, dsn: str, tmp_path: Path) -> None:
    for size in (1_000, 3_000_000):
        payload = sample("random", size)
        (tmp_path / "in").write_bytes(payload)
        stored = json.loads(busctl(hosted, dsn, "put", str(tmp_path / "in"), "--json"))
        busctl(hosted, dsn, "get", stored["transaction_id"], "-o", str(tmp_path / "out"))
        assert (tmp_path / "out").read_bytes() == payload
    hosted.run("update bus.message_bus set expires_at = now() - interval '1 s'", "roles")
    report = json.loads(busctl(hosted, dsn, "cleanup", "--eager", "--json"))
    assert report["messages"] == 2
    assert hosted.run("select count(*) from bus.message_chunk", "roles") == [(0,)]


@pytest.mark.parametrize("kind", OBJECTS)
def test_nothing_is_anybodys(hosted: Hosted, dsn: str, kind: str) -> None:
    """Though the project grants whatever `postgres` makes to the API's roles at once."""
    for role in OUTSIDE:
        rows = hosted.run(OBJECTS[kind].format(role=role), "roles")
        assert rows or kind == "type"
        assert [name for name, held in rows if held] == [], role


def test_the_grants_that_are_taken_back_are_given_here(hosted: Hosted, dsn: str) -> None:
    """The test above proves something: in another schema the same roles hold everything."""
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("create table public.everybodys (id int)")
        row = session.execute(
            "select has_table_privilege('anon', 'public.everybodys', 'select')"
        ).fetchone()
    assert row == (True,)


@pytest.fixture(scope="module")
def sessions(hosted: Hosted) -> Iterator[dict[str, psycopg.Connection[tuple[object, ...]]]]:
    """One of each role: the API's as PostgREST has them, the bus roles as the functions run."""
    dsn = hosted.project("matrix")
    busctl(hosted, dsn, "migrate", "up")
    busctl(hosted, dsn, "put", "/etc/hostname")
    logins = {
        "hosted": dsn,
        **dict.fromkeys(API, hosted.dsn("authenticator", "matrix")),
        **dict.fromkeys((matrix.W, matrix.R, matrix.J), hosted.admin("matrix")),
    }
    with ExitStack() as stack:
        opened = {}
        for role, login in logins.items():
            opened[role] = stack.enter_context(psycopg.connect(login))
            if role != "hosted":
                opened[role].execute(f"set role {role}".encode())
                opened[role].commit()
        yield opened


@pytest.mark.parametrize(
    ("statement", "allowed"), matrix.MAY, ids=[statement for statement, _ in matrix.MAY]
)
def test_role_may(
    sessions: dict[str, psycopg.Connection[tuple[object, ...]]],
    hosted: Hosted, statement: str, allowed: set[str],
) -> None:  # fmt: skip
    """The matrix of tests/sql, with `postgres` in the place of its hosted owner."""
    text = matrix.concrete(statement, hosted.dsn(database="matrix"))
    assert {role for role, one in sessions.items() if matrix.may(one, text)} == allowed


async def test_a_statement_that_the_server_ends_has_a_name(hosted: Hosted) -> None:
    """statement_timeout is the project's (2 min for postgres, 8 s or 3 s for the API's roles)."""
    dsn = hosted.project("slow")
    busctl(hosted, dsn, "migrate", "up")
    hosted.run("alter role postgres in database slow set statement_timeout = '300ms'")
    settings = Settings(database_url=dsn, sslrootcert=hosted.authority.root)
    async with Bus.connect(settings) as bus:
        with psycopg.connect(hosted.admin("slow")) as holder:
            holder.execute("lock table bus.message_bus in access exclusive mode")
            with pytest.raises(StoreTimeout, match="statement timeout") as caught:
                await bus.put(b"x")
            assert caught.value.exit_code == 3
        assert await bus.get((await bus.put(b"x")).transaction_id) == b"x"


def test_a_project_over_its_quota(hosted: Hosted, tmp_path: Path) -> None:
    """Read-only by default: puts fail by name, reading and cleaning go on."""
    dsn = hosted.project("over_quota")
    busctl(hosted, dsn, "migrate", "up")
    large = sample("random", 3_000_000)
    (tmp_path / "in").write_bytes(large)
    kept, gone = (
        json.loads(busctl(hosted, dsn, "put", str(tmp_path / "in"), "--json"))["transaction_id"]
        for _ in range(2)
    )
    hosted.run(
        f"update bus.message_bus set expires_at = now() where transaction_id = '{gone}'",
        "over_quota",
    )
    hosted.run("alter database over_quota set default_transaction_read_only = on")
    said = busctl(hosted, dsn, "put", str(tmp_path / "in"), code=3)
    assert "read-only" in said and "cleanup" in said
    busctl(hosted, dsn, "get", kept, "-o", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == large
    report = json.loads(busctl(hosted, dsn, "cleanup", "--eager", "--json"))
    assert report["messages"] == 1
    assert hosted.run("select count(*) from bus.message_chunk", "over_quota") == [(3,)]
