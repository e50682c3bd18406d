"""Expired messages leave: whole partitions where all has expired, single rows elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from busctl.core import retention as plan
from busctl.core.errors import LockHeld, StoreTimeout
from busctl.core.retention import Action, Partition
from busctl.ports import Clock, Deleted, Dropped, Forgotten, Retention

AHEAD = timedelta(days=1)
"""How far into the future partitions are made."""
ATTEMPTS = 4  # busctl: allow[CF004] the next run tries again
FIRST_PAUSE = 0.25
"""Seconds before a partition in use is tried again; doubled each time."""

Progress = Callable[[str], None]


class Why(StrEnum):
    """Why something that has expired, or soon will have, is still there."""

    IN_USE = "in_use"
    OUT_OF_TIME = "out_of_time"
    SOON_WHOLE = "soon_whole"


@dataclass(frozen=True, slots=True)
class Left:
    """A partition (or table) that still holds something expired, and why."""

    partition: str
    why: Why
    detail: str


@dataclass(frozen=True, slots=True)
class Removed:
    """One partition that was dropped, its chunks' partition counted in."""

    partition: str
    rows: int
    payload_bytes: int
    returned_bytes: int


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """What a run removed, or would remove (`dry_run`). Bytes are bytes.

    `messages` and `payload_bytes` cover dropped and singly deleted messages together;
    `returned_bytes` went back to the disk, `reusable_bytes` are free inside the database.
    """

    dry_run: bool = False
    messages: int = 0
    payload_bytes: int = 0
    returned_bytes: int = 0
    reusable_bytes: int = 0
    rows_deleted: int = 0
    partitions_dropped: tuple[Removed, ...] = ()
    partitions_made: int = 0
    requests_deleted: int = 0
    system_events_deleted: int = 0
    tokens_deleted: int = 0
    partitions_checked: int = 0
    left: tuple[Left, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """False when something that has expired could not go although it was tried again."""
        return not any(one.why is Why.IN_USE for one in self.left)


async def cleanup(
    retention: Retention,
    *,
    keep_events: timedelta,
    clock: Clock,
    batch: int = 1000,
    max_seconds: float | None = None,
    eager: bool = False,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> CleanupReport:
    """One cleanup. Raises LockHeld when another one runs, and the store's errors.

    `max_seconds` ends the run early between two steps; what is left then is in the report.
    """
    run = _Run(retention, keep_events, clock, batch, max_seconds, eager, on_progress)
    if dry_run:
        return await run.look()
    async with alone(retention):
        return await run.work()


@asynccontextmanager
async def alone(retention: Retention) -> AsyncIterator[None]:
    """No other cleanup runs within. Raises LockHeld when one does."""
    if not await retention.lock():
        raise LockHeld(
            "Another cleanup is running on this database.", remedy="Wait for it to finish."
        )
    try:
        yield
    finally:
        await retention.unlock()


@dataclass(slots=True)
class _Run:
    """One run: what it was told, and the report as it grows."""

    retention: Retention
    keep_events: timedelta
    clock: Clock
    batch: int
    max_seconds: float | None
    eager: bool
    on_progress: Progress | None
    report: CleanupReport = field(default_factory=CleanupReport)
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock.monotonic()

    # --- doing it ----------------------------------------------------------------------------

    async def work(self) -> CleanupReport:
        now = await self.retention.now()
        made = await self.retention.ensure_partitions(now, now + AHEAD)
        await self._finish_interrupted(now)
        found = await self.retention.partitions()
        self.report = replace(self.report, partitions_made=made, partitions_checked=len(found))
        whole, rows = await self._sorted_out(found, now)
        for partition in whole:
            if not await self._drop([*plan.companions(partition, found), partition], now):
                rows.append(partition)
        for partition in rows:
            await self._delete_rows(partition, now)
        await self._drop_remains(now)
        await self._delete_requests(now)
        self._count_forgotten(await self.retention.forget(now - self.keep_events))
        done = self._finished()
        await self.retention.record_run(
            {"messages": done.messages, "seconds": done.seconds, "ok": done.ok}
        )
        return done

    async def _finish_interrupted(self, now: datetime) -> None:
        """Before all else: one half detached partition keeps its siblings from being detached."""
        found = await self.retention.partitions()
        for partition in sorted(found, key=lambda one: one.parent != plan.MESSAGES):
            if not partition.attached:
                is_message = partition.parent == plan.MESSAGES
                chunks = plan.companions(partition, found) if is_message else []
                await self._drop([*chunks, partition], now)

    async def _sorted_out(
        self, found: Sequence[Partition], now: datetime
    ) -> tuple[list[Partition], list[Partition]]:
        """The message partitions to drop whole and those to delete rows from, oldest first."""
        by_action: dict[Action, list[Partition]] = {action: [] for action in Action}
        tried = {one.partition for one in self.report.left}
        for partition in plan.of(plan.MESSAGES, found):
            if partition.name in tried:
                continue
            contents = (
                await self.retention.contents(partition, now)
                if partition.attached
                else plan.Contents()
            )
            decision = plan.decide(partition, contents, now, eager=self.eager)
            by_action[decision.action].append(partition)
            if decision.action is Action.WAIT:
                detail = f"{decision.reason}, then it is dropped"
                self._leave(partition.name, Why.SOON_WHOLE, detail)
        return by_action[Action.DROP], by_action[Action.ROWS]

    async def _drop(self, group: Sequence[Partition], now: datetime) -> bool:
        """False when a message in it has not expired after all, so that nothing was dropped."""
        name = group[-1].name
        if self._is_late():
            self._leave(name, Why.OUT_OF_TIME, "the time was up before it was dropped")
            return True
        try:
            gone = await self._drop_patiently(group, now)
        except StoreTimeout as error:
            self._leave(name, Why.IN_USE, f"in use through {ATTEMPTS} attempts: {error.message}")
            return True
        if gone is None:
            return False
        self._count_drop(name, gone)
        return True

    async def _drop_patiently(self, group: Sequence[Partition], now: datetime) -> Dropped | None:
        for attempt in range(ATTEMPTS - 1):
            try:
                return await self.retention.drop(group, now)
            except StoreTimeout as error:
                self._tell(f"{group[-1].name} is in use, trying again: {error.message}")
                await asyncio.sleep(FIRST_PAUSE * 2**attempt)
        return await self.retention.drop(group, now)

    async def _delete_rows(self, partition: Partition, now: datetime) -> None:
        for _ in range(2):  # the second time for rows that somebody held during the first
            if not await self._sweep(partition, now):
                self._leave(partition.name, Why.OUT_OF_TIME, "the time was up before its last row")
                return
            if not (await self.retention.contents(partition, now)).expired:
                return
        self._leave(partition.name, Why.IN_USE, "another transaction holds some expired rows")

    async def _sweep(self, partition: Partition, now: datetime) -> bool:
        """One pass over the partition in batches; False when the time was up before its end."""
        after = None
        while not self._is_late():
            gone = await self.retention.delete_expired(
                partition, now=now, after=after, batch=self.batch
            )
            self._count_rows(partition.name, gone)
            if gone.last_id is None:
                return True
            after = gone.last_id
        return False

    async def _drop_remains(self, now: datetime) -> None:
        """Chunk and event partitions that have no messages any more."""
        found = await self.retention.partitions()
        old = plan.old_events(found, now, self.keep_events)
        tried = {one.partition for one in self.report.left}
        for partition in [*plan.orphan_chunks(found, now), *old]:
            if partition.name not in tried:
                await self._drop([partition], now)

    async def _delete_requests(self, now: datetime) -> None:
        while not self._is_late():
            gone = await self.retention.delete_requests(now, self.batch)
            done = self.report.requests_deleted + gone
            self.report = replace(self.report, requests_deleted=done)
            if gone < self.batch:
                return
        self._leave("request", Why.OUT_OF_TIME, "the time was up before its last expired row")

    # --- only looking ------------------------------------------------------------------------

    async def look(self) -> CleanupReport:
        """What `work` would remove; changes nothing, so it needs no lock."""
        now = await self.retention.now()
        found = await self.retention.partitions()
        self.report = replace(self.report, dry_run=True, partitions_checked=len(found))
        whole, rows = await self._sorted_out(found, now)
        stays = [one for one in found if one not in whole]
        for partition in whole:
            group = [*plan.companions(partition, found), partition]
            stays = [one for one in stays if one not in group]
            self._count_drop(partition.name, await self._would_drop(group, now))
        for partition in rows:
            self._count_rows(partition.name, await self.retention.expired_in(partition, now))
        for partition in [
            *plan.orphan_chunks(stays, now), *plan.old_events(stays, now, self.keep_events)
        ]:  # fmt: skip
            self._count_drop(partition.name, Dropped(0, 0, partition.size_bytes))
        requests = await self.retention.count_requests(now)
        self.report = replace(self.report, requests_deleted=requests)
        self._count_forgotten(await self.retention.count_forgettable(now - self.keep_events))
        return self._finished()

    async def _would_drop(self, group: Sequence[Partition], now: datetime) -> Dropped:
        message, size = group[-1], sum(one.size_bytes for one in group)
        if not message.attached:  # its rows cannot be read; the server's estimate must do
            return Dropped(max(0, message.estimated_rows), 0, size)
        expired = await self.retention.expired_in(message, now)
        return Dropped(expired.rows, expired.payload_bytes, size)

    # --- the report --------------------------------------------------------------------------

    def _count_drop(self, name: str, gone: Dropped) -> None:
        known, removed = self.report, Removed(
            name, gone.rows, gone.payload_bytes, gone.returned_bytes
        )  # fmt: skip
        self.report = replace(
            known,
            messages=known.messages + gone.rows,
            payload_bytes=known.payload_bytes + gone.payload_bytes,
            returned_bytes=known.returned_bytes + gone.returned_bytes,
            partitions_dropped=(*known.partitions_dropped, removed),
        )
        self._tell(f"{name}: dropped, {gone.rows} messages, {gone.returned_bytes} bytes returned")

    def _count_rows(self, name: str, gone: Deleted) -> None:
        known = self.report
        self.report = replace(
            known,
            messages=known.messages + gone.rows,
            payload_bytes=known.payload_bytes + gone.payload_bytes,
            reusable_bytes=known.reusable_bytes + gone.stored_bytes,
            rows_deleted=known.rows_deleted + gone.rows,
        )
        if gone.rows:
            self._tell(f"{name}: {gone.rows} messages deleted")

    def _count_forgotten(self, gone: Forgotten) -> None:
        self.report = replace(
            self.report, system_events_deleted=gone.system_events, tokens_deleted=gone.tokens
        )

    def _leave(self, partition: str, why: Why, detail: str) -> None:
        known = self.report
        self.report = replace(known, left=(*known.left, Left(partition, why, detail)))

    def _finished(self) -> CleanupReport:
        return replace(self.report, seconds=self.clock.monotonic() - self.began)

    def _is_late(self) -> bool:
        spent = self.clock.monotonic() - self.began
        return self.max_seconds is not None and spent >= self.max_seconds

    def _tell(self, line: str) -> None:
        if self.on_progress:
            self.on_progress(line)
