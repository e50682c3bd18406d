"""Statements sent ahead of their answers arrive in order, and an error among them has its name."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import psycopg
import pytest

from busctl.adapters.postgres.connection import Connection
from busctl.adapters.postgres.piping import Pipe, numbered
from tests.conftest import direct

INSERT = numbered("insert into piped values (%b, %b)")


async def piped(connection: Connection, rows: list[tuple[int, bytes]], sent: list[int]) -> None:
    """Sends these rows through a pipe; `sent` tells how far it got."""
    pipe = Pipe(connection.pgconn, INSERT)
    with connection.bulk():
        for number, body in rows:
            await connection.wait(pipe.send([number.to_bytes(4), body]))
            sent.append(number)
        await connection.wait(pipe.finish())


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    async with await Connection.connect(database, autocommit=True) as opened:
        await opened.execute("create table piped (number int primary key, body bytea)")
        yield opened


async def stored(connection: Connection) -> list[tuple[int, bytes]]:
    cursor = connection.cursor(binary=True)
    await cursor.execute("select number, body from piped order by number")
    return [(row[0], row[1]) for row in await cursor.fetchall()]


def test_placeholders_are_numbered() -> None:
    assert INSERT == b"insert into piped values ($1, $2)"


async def test_large_rows_arrive_whole_and_in_order(connection: Connection) -> None:
    rows = [(number, os.urandom(1_500_000)) for number in range(8)]
    await connection.execute("begin")
    await piped(connection, rows, [])
    await connection.execute("commit")
    assert await stored(connection) == rows


async def test_an_error_ends_the_pipe_and_the_connection_goes_on(connection: Connection) -> None:
    await connection.execute("insert into piped values (2, '')")
    await connection.execute("begin")
    rows = [(number, os.urandom(1_000_000)) for number in range(40)]
    sent: list[int] = []
    with pytest.raises(psycopg.errors.UniqueViolation):
        await piped(connection, rows, sent)
    # The kernel holds a few statements at the most: a client learns early, not at the end.
    assert len(sent) < 10
    await connection.rollback()
    assert await stored(connection) == [(2, b"")]


async def test_finish_raises_what_no_send_has_seen(connection: Connection) -> None:
    await connection.execute("insert into piped values (0, '')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        await piped(connection, [(0, b"x")], [])
    assert await stored(connection) == [(0, b"")]


async def test_a_server_that_goes_away_is_an_error(connection: Connection, database: str) -> None:
    await connection.execute("begin")
    # Asked, because the number told at connecting is the pooler's where there is one.
    row = await (await connection.execute("select pg_backend_pid()")).fetchone()
    assert row is not None
    async with await psycopg.AsyncConnection.connect(direct(database), autocommit=True) as other:
        await other.execute("select pg_terminate_backend(%s)", row)
    with pytest.raises(psycopg.OperationalError):
        await piped(connection, [(number, bytes(1_000_000)) for number in range(20)], [])
    # A pooler keeps its own side of the line open a moment longer: nothing more is to be sent.
    await connection.close()
