"""Both supported ends of PostgreSQL, and logins that are no superuser."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.postgres.migrator import Migrator
from tests.conftest import dsn_of, make_database

_numbers = itertools.count()
LOGINS = """
do $$ begin
    if to_regrole('hosted') is null then
        create role hosted login createrole bypassrls;
        create role plain login;
        create role anon login;
        create role authenticated login;
    end if;
end $$
"""


@pytest.fixture(scope="session", params=["server", "server15"], ids=["18", "15"])
def cluster(request: pytest.FixtureRequest) -> embedded.Server:
    """A server on which any role may log in: `hosted` as Supabase's postgres is (no superuser,
    CREATEROLE, BYPASSRLS), `plain` without any right, `anon` and `authenticated`."""
    server: embedded.Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn, autocommit=True) as admin:
        row = admin.execute("show hba_file").fetchone()
        assert row is not None
        with Path(row[0]).open("a", encoding="utf-8") as access:
            access.write("\nlocal all hosted,plain,anon,authenticated,member trust\n")
        admin.execute("select pg_reload_conf()")
        admin.execute(LOGINS)
    return server


def unique(word: str) -> str:
    return f"sql_{word}_{os.getpid()}_{next(_numbers)}"


def login(dsn: str, user: str) -> str:
    return psycopg.conninfo.make_conninfo(dsn, user=user)


@pytest.fixture
async def migrated(cluster: embedded.Server) -> AsyncIterator[str]:
    """The DSN (superuser) of a fresh, migrated database."""
    dsn = await make_database(cluster, unique("migrated"))
    yield dsn
    drop(cluster, dsn)


@pytest.fixture(scope="module")
def shared(cluster: embedded.Server) -> Iterator[str]:
    """The DSN (superuser) of a migrated database for tests that leave nothing in it."""
    dsn = asyncio.run(make_database(cluster, unique("shared")))
    yield dsn
    drop(cluster, dsn)


@pytest.fixture
async def empty(cluster: embedded.Server) -> AsyncIterator[str]:
    """The DSN (superuser) of a fresh database without a schema."""
    dsn = await make_database(cluster, unique("empty"), migrated=False)
    yield dsn
    drop(cluster, dsn)


@pytest.fixture
def hosted(cluster: embedded.Server) -> Iterator[str]:
    """The DSN of `hosted` for an empty database of its own."""
    dsn = make_hosted(cluster)
    yield dsn
    drop(cluster, dsn)


def drop(cluster: embedded.Server, dsn: str) -> None:
    """Now, file by file: at the end of the run all of them together take minutes."""
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    run(cluster.dsn, f"drop database {name} with (force)")


def make_hosted(cluster: embedded.Server) -> str:
    """As a hosted database is: its owner is no superuser, and whatever it makes is granted to the
    API's roles at once. The bus roles may have been made by somebody else before."""
    name = unique("hosted")
    run(cluster.dsn, f"create database {name} owner hosted")
    if run(cluster.dsn, "select to_regrole('bus_writer') is not null") == [(True,)]:
        # From 16 on, roles that another made can be granted by their makers alone.
        run(cluster.dsn, "grant bus_writer, bus_reader, bus_janitor to hosted")
    dsn = login(dsn_of(cluster, name), "hosted")
    for kind in ("tables", "functions", "sequences", "types", "schemas"):
        run(dsn, f"alter default privileges grant all on {kind} to anon, authenticated")
    return dsn


async def up(dsn: str) -> list[str]:
    """Migrate; the titles of what was applied."""
    async with await Migrator.connect(dsn) as migrator:
        return [one.title for one in await migrator.up()]


def run(dsn: str, statement: str) -> list[tuple[object, ...]]:
    """One statement on a connection of its own; its rows."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description is not None else []
