"""What the tests of the bus do behind its back: SQL as the superuser, ids, connections."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

import psycopg

from busctl.adapters.clock import SystemClock
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.ids import make_id
from tests.conftest import direct

Row = tuple[Any, ...]
MIB = 1 << 20


async def sql(dsn: str, statement: str, *values: object) -> list[Row]:
    """Run one statement as the superuser; its rows, if it gives any."""
    async with await psycopg.AsyncConnection.connect(direct(dsn), autocommit=True) as admin:
        cursor = await admin.execute(statement.encode(), values or None)
        return await cursor.fetchall() if cursor.description else []


def new_id(seconds: float = 0) -> UUID:
    """An id of a moment `seconds` from now."""
    return make_id(SystemClock().unix_ms() + round(seconds * 1000), os.urandom(10))


def connected(dsn: str, **fields: object) -> AbstractAsyncContextManager[Bus]:
    """A bus on that database with some settings of its own."""
    return Bus.connect(Settings(database_url=dsn, **fields))  # type: ignore[arg-type]  # pydantic converts


async def sessions(dsn: str) -> list[Row]:
    """State and transaction age of busctl's connections to this database."""
    return await sql(
        dsn,
        "select state, xact_start is not null, backend_xmin is not null from pg_stat_activity "
        "where datname = current_database() and application_name = 'busctl'",
    )


async def eventually(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until something is true; fails by name after 20 s."""
    for _ in range(400):
        if await holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never happened: {what}")
