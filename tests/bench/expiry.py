"""Expiring a million messages of 1 KB beside a live writer: space returned, the writer's p99.

python -m tests.bench.expiry [--rows 1000000] [--dsn postgresql://…]
pytest -m bench tests/bench/expiry.py
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from uuid import UUID

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.migrator import Migrator
from busctl.adapters.postgres.retention import PostgresRetention
from busctl.adapters.postgres.store import PostgresStore
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.ops.cleanup import CleanupReport, cleanup

SPREAD_HOURS = 48
LIVE_HOURS = 5
QUIET_SECONDS = 5.0
SLOWDOWN = 10
PAYLOAD = os.urandom(1000)

# The ids are spread evenly over the last 48 h; each message lived for 5 h, so 43/48 have expired.
FILL = """
insert into bus.message_bus (transaction_id, created_at, expires_at, payload_size_bytes,
    stored_size_bytes, message_type, compression, content_type, owner, checksum, stored_checksum,
    payload)
select id, made, made + make_interval(hours => %(live)s), 1000, 1000, 'tool_response', 'none',
       'application/octet-stream', 'bench', sha256(body), sha256(body), body
from generate_series(1, %(rows)s) n
cross join lateral (
    select now() - make_interval(secs => %(hours)s * 3600.0 * n / %(rows)s)) at (made)
cross join lateral (
    select overlay(overlay(gen_random_uuid()::text placing
        substr(bus.first_id(made)::text, 1, 13) from 1 for 13) placing '7' from 15 for 1)::uuid
) key (id)
cross join lateral (
    select substr(decode(repeat(md5(n::text) || md5((-n)::text), 32), 'hex'), 1, 1000)) load (body)
"""


@dataclass(frozen=True)
class Outcome:
    """What a run showed. Times in ms, sizes in bytes; `lost` are live ids that are gone."""

    report: CleanupReport
    quiet_ms: list[float]
    during_ms: list[float]
    before_bytes: int
    after_bytes: int
    wal_bytes: int
    lost: set[UUID]
    expired_left: int

    @property
    def slowdown(self) -> float:
        return p99(self.during_ms) / p99(self.quiet_ms)


def p99(times: list[float]) -> float:
    return quantiles(times, n=100)[98]


async def fill(dsn: str, rows: int) -> None:
    """Backdated messages by SQL: a million puts would take minutes and test something else."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(
            "select bus.ensure_partitions(now() - make_interval(hours => %s), now())",
            (SPREAD_HOURS + 1,),
        )
        await connection.execute(
            FILL.encode(), {"rows": rows, "hours": SPREAD_HOURS, "live": LIVE_HOURS}
        )
        await connection.execute("vacuum analyze bus.message_bus")
        await connection.execute("checkpoint")


async def ask(dsn: str, query: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        return await (await connection.execute(query.encode())).fetchall()


async def number(dsn: str, query: str) -> int:
    return int(str((await ask(dsn, query))[0][0]))


async def measure(dsn: str, rows: int, *, quiet_seconds: float = QUIET_SECONDS) -> Outcome:
    """Fill, let a writer run alone, then beside a cleanup."""
    await fill(dsn, rows)
    live = await ids(dsn, "pinned or expires_at > now() + interval '10 minutes'")
    size, position = "select pg_database_size(current_database())", "select pg_current_wal_lsn()"
    settings = Settings(database_url=dsn)
    before, start = await number(dsn, size), (await ask(dsn, position))[0][0]
    async with writing(settings) as puts:
        await asyncio.sleep(quiet_seconds)
        began = time.monotonic()
        report = await clean(dsn)
        ended = time.monotonic()
    wal = await number(dsn, f"select pg_wal_lsn_diff(pg_current_wal_lsn(), '{start}')::bigint")
    written = {one.id for one in puts}
    left = await number(dsn, "select count(*) from bus.message_bus where expires_at <= now()")
    return Outcome(
        report=report,
        quiet_ms=[one.ms for one in puts if one.began < began - one.ms / 1000],
        during_ms=[one.ms for one in puts if began <= one.began < ended],
        before_bytes=before,
        after_bytes=await number(dsn, size),
        wal_bytes=wal,
        lost=(live | written) - await ids(dsn, "true"),
        expired_left=left,
    )


async def ids(dsn: str, where: str) -> set[UUID]:
    query = f"select transaction_id from bus.message_bus where {where}"
    return {UUID(str(row[0])) for row in await ask(dsn, query)}


async def clean(dsn: str) -> CleanupReport:
    store = await PostgresStore.open(dsn)
    try:
        async with PostgresRetention(store) as retention:
            return await cleanup(retention, keep_events=timedelta(days=30), clock=SystemClock())
    finally:
        await store.close()


@dataclass(frozen=True)
class Put:
    """One put of the live writer."""

    id: UUID
    began: float
    ms: float


@asynccontextmanager
async def writing(settings: Settings) -> AsyncIterator[list[Put]]:
    """One writer that puts 1 KB after 1 KB for the time of the block."""
    puts: list[Put] = []
    stop = asyncio.Event()

    async def write() -> None:
        async with Bus.connect(settings) as bus:
            while not stop.is_set():
                began = time.monotonic()
                claim = await bus.put(PAYLOAD)
                puts.append(Put(claim.transaction_id, began, (time.monotonic() - began) * 1000))

    task = asyncio.create_task(write())
    try:
        yield puts
    finally:
        stop.set()
        await task


def show(outcome: Outcome, rows: int) -> None:
    report, mb = outcome.report, 1_000_000
    print(f"{rows:,} messages of 1 KB over {SPREAD_HOURS} h, at {datetime.now(UTC):%H:%M} UTC")
    print(
        f"  removed        {report.messages:,} ({report.messages - report.rows_deleted:,} in "
        f"{len(report.partitions_dropped)} partitions, {report.rows_deleted:,} one by one), "
        f"{outcome.expired_left:,} wait for their partition"
    )
    wal = f"WAL {outcome.wal_bytes / mb:.1f} MB (the writer's and the quiet time's too)"
    print(f"  took           {report.seconds:.2f} s, {wal}")
    before, after = outcome.before_bytes / mb, outcome.after_bytes / mb
    print(f"  database       {before:.0f} MB -> {after:.0f} MB")
    for name, times in (("quiet", outcome.quiet_ms), ("during", outcome.during_ms)):
        print(
            f"  writer {name:6}  p50 {median(times):.2f} ms, p99 {p99(times):.2f} ms, "
            f"max {max(times):.2f} ms ({len(times):,} puts)"
        )
    print(f"  p99 during / quiet  {outcome.slowdown:.1f} x (at most {SLOWDOWN} x)")


async def on_a_store_of_its_own(rows: int) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="busctl-expiry-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's unprivileged user must reach its data
        with embedded.acquire(folder / "store") as lease:
            async with await Migrator.connect(lease.server.dsn) as migrator:
                await migrator.up()
            return await measure(lease.server.dsn, rows)


@pytest.mark.bench
@pytest.mark.timeout(600)
async def test_a_million_messages_leave_beside_a_writer() -> None:
    rows = 1_000_000
    outcome = await on_a_store_of_its_own(rows)
    show(outcome, rows)
    assert outcome.report.ok and not outcome.lost
    assert outcome.report.messages > rows * 30 // 48
    assert outcome.after_bytes < outcome.before_bytes * 0.45
    assert outcome.slowdown <= SLOWDOWN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dsn", help="an empty, migrated database; default: one of its own")
    told = parser.parse_args()
    work = measure(told.dsn, told.rows) if told.dsn else on_a_store_of_its_own(told.rows)
    show(asyncio.run(work), told.rows)


if __name__ == "__main__":
    main()
