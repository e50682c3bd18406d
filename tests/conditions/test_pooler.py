"""A transaction pooler with TLS, as Supabase's port 6543: nothing relies on session state.

The adapter suite runs through one as well (`make conditions`: --through pgbouncer). Here many
clients share two connections of the owner that is no superuser.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from busctl.adapters.postgres.inspection import PostgresInspection
from busctl.adapters.postgres.pool import Session
from busctl.adapters.postgres.store import PostgresStore
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Status
from busctl.core.samples import sample
from busctl.ops.fsck import Checked, Scope, fsck
from busctl.ops.trace import trace_of
from tests.conditions.commands import busctl
from tests.conditions.hosted import Hosted
from tests.pooling import Pooler, pooled

SIZE = 2
CLIENTS = 8
SIZES = (10, 300, 5_000, 5_000, 70_000, 200_000, 1_500_000)
MESSAGES = 240
"""Enough that each connection would have prepared its statements (from the sixth use on)."""


@pytest.fixture(scope="module")
def pooler(hosted: Hosted) -> Iterator[Pooler]:
    with pooled(hosted.dsn(), size=SIZE, authority=hosted.authority) as running:
        yield running


@pytest.fixture(scope="module")
def dsn(hosted: Hosted, pooler: Pooler) -> str:
    """A migrated project by way of the pooler; `migrate up` went through it too."""
    hosted.project("pooled")
    chosen = make_conninfo(hosted.dsn(database="pooled"), port=pooler.port)
    busctl(hosted, chosen, "migrate", "up")
    return chosen


async def test_many_clients_share_two_connections(hosted: Hosted, pooler: Pooler, dsn: str) -> None:
    settings = Settings(database_url=dsn, sslrootcert=hosted.authority.root, pool_max_size=2)
    payloads = [sample("random", SIZES[n % len(SIZES)], n) for n in range(MESSAGES)]
    async with AsyncExitStack() as stack:
        buses = [await stack.enter_async_context(Bus.connect(settings)) for _ in range(CLIENTS)]
        assert all(bus.store.inner.pool.behind_pooler for bus in buses)  # type: ignore[attr-defined]  # the PostgreSQL store behind the port
        claims = await asyncio.gather(
            *(buses[n % CLIENTS].put(payload) for n, payload in enumerate(payloads))
        )
        got = await asyncio.gather(
            *(buses[-n % CLIENTS].get(claim.transaction_id) for n, claim in enumerate(claims))
        )
        assert got == payloads
        servers = [each for each in pooler.ask("show servers") if each["database"] == "pooled"]
        assert 1 <= len(servers) <= SIZE
        assert pooler.clients(dsn) >= CLIENTS


def test_doctor_proves_what_the_connection_is(hosted: Hosted, dsn: str, tmp_path: Path) -> None:
    own = {"PATH": str(Path(sys.executable).parent), "BUSCTL_STATE_DIR": str(tmp_path)}
    direct = make_conninfo(hosted.dsn(database="pooled"))
    for address, mode in ((dsn, "transaction pooler"), (direct, "direct")):
        said = json.loads(busctl(hosted, address, "doctor", "--json", code=0, **own))
        assert said["sections"]["connection"]["mode"] == mode


def test_nothing_of_a_session_is_left_behind(hosted: Hosted, pooler: Pooler, dsn: str) -> None:
    """What one client left, the next one would meet: on both connections there is none."""
    chosen = make_conninfo(dsn, sslmode="require")
    with psycopg.connect(chosen) as one, psycopg.connect(chosen) as other:
        pids = set()
        for session in (one, other):
            row = session.execute(
                "select pg_backend_pid(), current_setting('role'), "
                "(select count(*) from pg_prepared_statements), "
                "(select count(*) from pg_locks where locktype = 'advisory'), "
                "(select count(*) from pg_listening_channels()), "
                "(select count(*) from pg_settings where source = 'session' and name not in "
                "('client_encoding', 'application_name', 'TimeZone', 'DateStyle') "
                # A transaction's own modes: each begins with the defaults again.
                "and not (name = 'transaction_isolation' and setting = 'read committed') "
                "and not (name = 'transaction_read_only' and setting = 'off'))"
            ).fetchone()
            assert row is not None
            pids.add(row[0])
            assert row[1:] == ("none", 0, 0, 0, 0)
        assert len(pids) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("migrate", "status"), ("migrate", "verify"), ("cleanup", "--quiet"), ("ls",),
        ("test-integrity", "--sizes", "1KB,1MB"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_commands(hosted: Hosted, dsn: str, words: tuple[str, ...]) -> None:
    busctl(hosted, dsn, *words)


async def test_stored_messages_are_inspected_through_it(hosted: Hosted, dsn: str) -> None:
    """As the owner that is no superuser: server-side digests, structure, marking, traces."""
    settings = Settings(database_url=dsn, sslrootcert=hosted.authority.root)
    async with Bus.connect(settings) as bus:
        whole = (await bus.put(sample("json", 2_500_000))).transaction_id
        damaged = (await bus.put(sample("random", 2_500_000))).transaction_id
        assert isinstance(bus.store.inner, PostgresStore)
        inspection = PostgresInspection(bus.store.inner)

        async def cut(session: Session) -> None:
            await session.run(
                "delete from bus.message_chunk where transaction_id = %s and seq = 1", [damaged]
            )

        await bus.store.inner.as_role("bus_janitor", cut)
        scope = Scope(whole, UUID(int=2**128 - 1), after=UUID(int=whole.int - 1), full=True)
        done = Checked()
        await fsck(bus, inspection, scope, done, fix_status=True)
        assert [(one.kind, one.subject) for one in done.findings] == [
            ("chunk_missing", str(damaged))
        ]
        assert (done.messages, done.marked) == (2, 1)
        assert (await bus.stat(damaged)).status is Status.ERROR
        assert (await trace_of(bus, inspection, whole)).differs is None
        first = (await trace_of(bus, inspection, damaged)).differs
        assert first is not None
        assert first.hop == "store"


async def test_a_session_pooler_is_taken_for_a_transaction_pooler(hosted: Hosted, dsn: str) -> None:
    """It announces numbers of its own too; to prepare nothing is right through either."""
    with pooled(hosted.dsn(), authority=hosted.authority, mode="session") as pooler:
        chosen = make_conninfo(dsn, port=pooler.port)
        settings = Settings(database_url=chosen, sslrootcert=hosted.authority.root)
        async with Bus.connect(settings) as bus:
            assert bus.store.inner.pool.behind_pooler  # type: ignore[attr-defined]  # the adapter's own
            for payload in (b"x", sample("random", 3_000_000)):
                assert await bus.get((await bus.put(payload)).transaction_id) == payload
