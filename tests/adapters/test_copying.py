"""Rows that come by COPY are the ones that SELECT gives, and errors on the way have their names."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import psycopg
import pytest

from busctl.adapters.postgres.connection import Connection
from busctl.adapters.postgres.copying import CopiedRow, copied


async def rows_of(connection: Connection, select: str) -> list[CopiedRow]:
    with connection.bulk():
        return await connection.wait(
            copied(connection.pgconn, f"copy ({select}) to stdout (format binary)")
        )


async def test_rows_nulls_and_large_values(database: str) -> None:
    async with await Connection.connect(database, autocommit=True) as connection:
        rows = await rows_of(
            connection,
            "select n, case when n % 2 = 0 then null else decode(repeat('ab', n * 300000), 'hex')"
            " end from generate_series(0, 5) n",
        )
        assert [int.from_bytes(row[0] or b"") for row in rows] == [0, 1, 2, 3, 4, 5]
        assert [row[1] for row in rows] == [
            None if n % 2 == 0 else b"\xab" * (n * 300_000) for n in range(6)
        ]


async def test_no_rows(database: str) -> None:
    async with await Connection.connect(database, autocommit=True) as connection:
        assert await rows_of(connection, "select 1 where false") == []


@pytest.mark.parametrize(
    ("select", "error"),
    [
        ("select 1 / (3 - n) from generate_series(1, 5) n", psycopg.errors.DivisionByZero),
        ("select nothing from nowhere", psycopg.errors.UndefinedTable),
    ],
)
async def test_an_error_is_raised_and_the_connection_goes_on(
    database: str, select: str, error: type[psycopg.Error]
) -> None:
    async with await Connection.connect(database, autocommit=True) as connection:
        with pytest.raises(error):
            await rows_of(connection, select)
        assert len(await rows_of(connection, "select 7")) == 1


async def test_what_is_no_copy_is_refused(database: str) -> None:
    async with await Connection.connect(database, autocommit=True) as connection:
        with pytest.raises(psycopg.Error), connection.bulk():
            await connection.wait(copied(connection.pgconn, "select 1"))


@pytest.mark.parametrize(
    ("extra", "wanted"), [({}, "True"), ({"MALLOC_TRIM_THRESHOLD_": "131072"}, "False")]
)
def test_the_allocator_is_told_unless_the_user_has_told_it(
    extra: dict[str, str], wanted: str
) -> None:
    if not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        wanted = "False"
    code = "from busctl.adapters.malloc import keep_freed_memory; print(keep_freed_memory())"
    told = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | extra, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert told.stdout.strip() == wanted
