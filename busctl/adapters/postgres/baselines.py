"""What the bus is measured against: a plain INSERT and SELECT, and the payload as JSONB.

Same pool, same server, no hashing: scratch tables in the schema `busctl_bench`, dropped after use.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from busctl.adapters.postgres.pool import Pool, Session

SCHEMA = "busctl_bench"

_CREATE = f"""
drop schema if exists {SCHEMA} cascade;
create schema {SCHEMA};
create table {SCHEMA}.raw (id uuid primary key, body bytea not null);
alter table {SCHEMA}.raw alter column body set storage external;
create table {SCHEMA}.jsonb (id uuid primary key, body jsonb not null);
"""
_INSERT_RAW = f"insert into {SCHEMA}.raw (id, body) values (%b, %b)"  # noqa: S608  # constants
_INSERT_MANY = (
    f"insert into {SCHEMA}.raw (id, body) "  # noqa: S608  # constants
    "select * from unnest(%b::uuid[], %b::bytea[])"
)
_SELECT_RAW = f"select body from {SCHEMA}.raw where id = %b"  # noqa: S608  # constants
_INSERT_JSONB = f"insert into {SCHEMA}.jsonb (id, body) values (%b, %b)"  # noqa: S608  # constants
_SELECT_JSONB = f"select body from {SCHEMA}.jsonb where id = %b"  # noqa: S608  # constants


class Scratch:
    """The scratch schema and a pool of its own, for the time of an `async with`."""

    def __init__(self, dsn: str, *, connect_timeout: float) -> None:
        self.pool = Pool(dsn, size=2, connect_timeout=connect_timeout)

    async def __aenter__(self) -> Scratch:
        try:
            await self._command(_CREATE)
        except BaseException:
            await self.pool.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._command(f"drop schema if exists {SCHEMA} cascade")
        finally:
            await self.pool.close()

    async def _command(self, text: str) -> None:
        await self.pool.run(lambda session: session.command(text), timeout=None)


class RawTable:
    """The same bytes in a bytea column: one INSERT, one SELECT, nothing hashed."""

    name = "raw"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def store(self, id: UUID, payload: bytes) -> None:
        async def insert(session: Session) -> int:
            return await session.run(_INSERT_RAW, (id, payload))

        await self._pool.run(insert, timeout=None)

    async def store_many(self, ids: Sequence[UUID], payloads: Sequence[bytes]) -> None:
        """All of them in one statement."""

        async def insert(session: Session) -> int:
            return await session.run(_INSERT_MANY, (list(ids), list(payloads)))

        await self._pool.run(insert, timeout=None)

    async def fetch(self, id: UUID) -> bytes:
        row = await self._select(_SELECT_RAW, id)
        return bytes(row[0])

    async def settle(self) -> None:
        """Nothing waits."""

    async def empty(self) -> None:
        await self._pool.run(
            lambda session: session.command(f"truncate {SCHEMA}.{self.name}"), timeout=None
        )

    async def _select(self, query: str, id: UUID) -> tuple[Any, ...]:
        return await self._pool.run(lambda session: session.only(query, (id,)), timeout=None)


class JsonbTable(RawTable):
    """The payload as JSONB: parsed, stored, fetched and written out again. Bytes that are not
    JSON travel as one base64 string."""

    name = "jsonb"

    async def store(self, id: UUID, payload: bytes) -> None:
        async def insert(session: Session) -> int:
            return await session.run(_INSERT_JSONB, (id, Jsonb(_as_json(payload))))

        await self._pool.run(insert, timeout=None)

    async def fetch(self, id: UUID) -> bytes:
        """Bytes again, though not the same ones: JSONB keeps no spaces, order or duplicates."""
        row = await self._select(_SELECT_JSONB, id)
        return json.dumps(row[0]).encode()


def _as_json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:  # not JSON, or not UTF-8: base64 is what a JSONB design is left with
        return {"base64": base64.b64encode(payload).decode("ascii")}
