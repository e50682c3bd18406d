"""Bus, breaker and spool against a model, on a real PostgreSQL that goes away at any moment: what
was acknowledged is there once, whole, by one path."""

from __future__ import annotations

import asyncio
import hashlib
import random
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from busctl.adapters.clock import SystemClock
from busctl.adapters.metrics import Metrics
from busctl.adapters.spool import FileSpool
from busctl.connect import Bus, open_store
from busctl.core.breaker import State
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Labels
from busctl.core.errors import StoreUnreachable
from busctl.core.fate import SETTLED
from busctl.ops.guarding import GuardedStore
from busctl.ops.reconcile import reconcile
from busctl.ops.serve.fallback import Keeper
from busctl.ops.serve.trail import Trail
from busctl.ports import Answer
from tests.adapters.bus_sql import sql
from tests.gate import LOOSE_ENDS, Gate

pytestmark = LOOSE_ENDS

Result = TypeVar("Result")
SIZES = (0, 1, 5_000, 70_000, 1 << 20, 2_500_000)
BREAKER_SECS = 0.03


class Model(RuleBasedStateMachine):
    """`acknowledged`: the digest of every answer that was kept, by its id."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self.dsn = dsn
        self.acknowledged: dict[UUID, bytes] = {}
        self.fell_back: set[UUID] = set()
        self.is_open = True
        self.random = random.Random(7)
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(prefix="busctl-model-")
        Path(self.folder.name).chmod(0o755)
        self.gate = Gate(dsn, Path(self.folder.name))
        self.gate.open()
        self.stack = AsyncExitStack()
        self.run(self._connect())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    async def _connect(self) -> None:
        chosen = Settings(
            database_url=self.gate.dsn,
            circuit_breaker_threshold=2, circuit_breaker_timeout_secs=BREAKER_SECS,
            connect_timeout_secs=2,
        )  # fmt: skip
        clock = SystemClock()
        store = await self.stack.enter_async_context(open_store(chosen))
        self.spool = FileSpool(Path(self.folder.name) / "spool", 1 << 30)
        self.store = GuardedStore(store, chosen, clock, self.spool)
        self.bus = Bus(self.store, chosen, clock)
        self.keeper = Keeper(self.bus, self.spool, Metrics("0"), Trail(clock, "d"), daemon="d")

    # --- what happens ----------------------------------------------------------------------

    @rule(size=st.sampled_from(SIZES), streamed=st.booleans())
    def keep(self, size: int, streamed: bool) -> None:
        self.run(self._keep(size, streamed))

    @rule(size=st.sampled_from(SIZES), milliseconds=st.floats(0, 15))
    def keep_while_the_line_is_cut(self, size: int, milliseconds: float) -> None:
        async def both() -> None:
            keeping = asyncio.create_task(self._keep(size, streamed=False))
            await asyncio.sleep(milliseconds / 1000)
            await asyncio.to_thread(self.gate.shut)
            await keeping

        self.run(both())
        self.is_open = False

    @rule()
    def go_away(self) -> None:
        self.gate.shut()
        self.is_open = False

    @rule()
    def come_back(self) -> None:
        self.gate.open()
        self.is_open = True

    @rule()
    def wait_for_the_breaker(self) -> None:
        self.run(asyncio.sleep(BREAKER_SECS))

    @rule()
    def drain(self) -> None:
        try:
            self.run(self._drain())
        except StoreUnreachable:
            # Away, or just back and left alone by the breaker still.
            assert not self.is_open or self.store.writes.failures

    @precondition(lambda self: self.acknowledged)
    @rule(choice=st.randoms(use_true_random=False))
    def get(self, choice: random.Random) -> None:
        chosen = choice.choice(sorted(self.acknowledged))
        try:
            payload = self.run(self.bus.get(chosen))
        except StoreUnreachable:
            # Allowed for what is in the store alone.
            assert not self.spool.holds(chosen)
            assert not self.is_open or self.store.reads.failures
            return
        assert hashlib.sha256(payload).digest() == self.acknowledged[chosen]

    # --- what must hold --------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self.gate.open()
            self.run(self._settled())
        finally:
            self.run(self.stack.aclose())
            self.runner.close()
            self.gate.end()
            self.folder.cleanup()

    async def _settled(self) -> None:
        for _ in range(100):
            await asyncio.sleep(BREAKER_SECS)
            try:
                await self._drain()
            except StoreUnreachable:
                continue
            break
        assert self.spool.ids() == []
        ids = list(self.acknowledged)
        rows = await sql(
            self.dsn,
            "select transaction_id, checksum::bytea, path from bus.message_bus "
            "join bus.message_paths using (transaction_id) where transaction_id = any (%s)", ids,
        )  # fmt: skip
        assert len(rows) == len(ids)
        for found, checksum, path in rows:
            assert checksum == self.acknowledged[found]
            assert path == ("reconciled" if found in self.fell_back else "stored")
        events = await sql(
            self.dsn,
            "select kind, count(*) from bus.message_event where transaction_id = any (%s) "
            "and kind in ('stored', 'fell_back', 'reconciled') group by kind", ids,
        )  # fmt: skip
        fallen = len(self.fell_back)
        expected = {"stored": len(ids), "fell_back": fallen, "reconciled": fallen}
        assert dict(events) == {kind: count for kind, count in expected.items() if count}
        damaged = "select bus.damaged_parts(id) from unnest(%s::uuid[]) as one (id)"
        assert await sql(self.dsn, damaged, ids) == []
        await self._breaker_closes()

    async def _breaker_closes(self) -> None:
        now = self.bus.clock.now()
        for _ in range(100):
            if self.store.writes.state is State.CLOSED and self.store.reads.state is State.CLOSED:
                return
            await asyncio.sleep(BREAKER_SECS)
            try:
                await self.store.ping()
                await self.store.ensure_partitions(now, now)
            except StoreUnreachable:
                continue
        raise AssertionError("the breaker does not close")

    async def _keep(self, size: int, streamed: bool) -> None:
        payload = self.random.randbytes(size)
        chosen = self.bus.clock.new_id()

        async def pieces() -> Any:
            for start in range(0, size, 300_000):
                yield payload[start : start + 300_000]

        answer = (
            Answer(None, pieces(), "application/octet-stream") if streamed
            else Answer(payload, None, "application/octet-stream")
        )  # fmt: skip
        kept = await self.keeper.keep(
            answer, Labels(session_id="s", request_id=str(chosen)), chosen
        )
        digest = hashlib.sha256(payload).digest()
        assert kept.claim.checksum == digest.hex()
        self.acknowledged[chosen] = digest
        if kept.claim.spooled:
            self.fell_back.add(chosen)

    async def _drain(self) -> None:
        report = await reconcile(self.store, self.spool, self.bus.settings, self.bus.clock)
        assert {step.fate for step in report.steps} <= SETTLED


def test_nothing_acknowledged_is_lost_or_doubled(database: str) -> None:
    run_state_machine_as_test(
        lambda: Model(database),  # type: ignore[arg-type]  # any maker of a machine will do
        settings=settings(
            max_examples=10, stateful_step_count=30, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
