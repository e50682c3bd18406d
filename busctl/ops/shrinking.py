"""Space by force: messages leave before their time, until the database is under a byte budget.

What nobody misses goes first: partitions whose messages were all delivered, then those that expire
soonest. Pinned messages stay. Only what is dropped whole, or empties the end of a table, goes back
to the disk; rows deleted singly leave room inside the database, and the report tells the two apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from busctl.core import retention as plan
from busctl.core.errors import StoreTimeout
from busctl.core.retention import Holding, Partition
from busctl.ops.cleanup import alone
from busctl.ports import Retention

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What a run removed, or would remove (`dry_run`). Bytes are bytes.

    `before` and `after` are the database's; `after` is an estimate in a dry run. `undelivered` of
    the `messages` were never fetched. `reusable_bytes` are free inside the database. `pinned`
    messages stayed, and partitions `in_use` could not be had.
    """

    limit: int
    before: int
    after: int
    dry_run: bool = False
    messages: int = 0
    undelivered: int = 0
    payload_bytes: int = 0
    returned_bytes: int = 0
    reusable_bytes: int = 0
    partitions: tuple[str, ...] = ()
    pinned: int = 0
    in_use: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the database is under the limit; bytes free inside it do not count."""
        return self.after <= self.limit


async def shrink(
    retention: Retention, limit: int, *, batch: int, dry_run: bool,
    on_progress: Progress | None = None,
) -> Shrunk:  # fmt: skip
    """Remove messages until the database has at most `limit` bytes.

    Raises LockHeld when a cleanup runs, and the store's errors.
    """
    run = _Run(retention, limit, batch, on_progress)
    if dry_run:
        return await run.look()
    async with alone(retention):
        return await run.work()


@dataclass(slots=True)
class _Run:
    retention: Retention
    limit: int
    batch: int
    on_progress: Progress | None
    done: Shrunk = field(init=False)
    found: Sequence[Partition] = ()
    held: dict[str, Holding] = field(default_factory=dict)

    async def _begin(self) -> datetime:
        now = await self.retention.now()
        size = await self.retention.database_bytes()
        self.done = Shrunk(self.limit, size, size)
        if size > self.limit:
            self.found = await self.retention.partitions()
            for one in plan.of(plan.MESSAGES, self.found):
                if one.attached:
                    self.held[one.name] = await self.retention.holding(one)
            pinned = sum(one.pinned for one in self.held.values())
            self.done = replace(self.done, pinned=pinned)
        return now

    def _messages(self) -> list[Partition]:
        return [one for one in plan.of(plan.MESSAGES, self.found) if one.name in self.held]

    def _droppable(self, now: datetime) -> list[Partition]:
        whole = [
            one
            for one in self._messages()
            if plan.is_past(one, now) and not self.held[one.name].pinned
        ]
        return plan.by_loss(self.held, whole)

    def _missing(self) -> int:
        """Bytes that are still to go; what is free inside counts as gone."""
        return self.done.after - self.done.reusable_bytes - self.limit

    # --- doing it ----------------------------------------------------------------------------

    async def work(self) -> Shrunk:
        now = await self._begin()
        gone = set()
        for partition in self._droppable(now):
            if self._missing() <= 0:
                break
            if await self._drop(partition):
                gone.add(partition.name)
        rest = [one for one in self._messages() if one.name not in gone]
        touched: list[Partition] = []
        for delivered in (True, False):
            for partition in rest:
                if self._missing() > 0 and await self._delete(partition, delivered=delivered):
                    touched.append(partition)
        if touched:
            await self._give_back(touched)
        return self.done

    async def _drop(self, partition: Partition) -> bool:
        group = [*plan.companions(partition, self.found), partition]
        held = self.held[partition.name]
        try:
            dropped = await self.retention.drop_unexpired(group)
        except StoreTimeout:
            self.done = replace(self.done, in_use=(*self.done.in_use, partition.name))
            return False
        if dropped is None:  # somebody pinned a message meanwhile
            return False
        self._count_drop(partition.name, held, dropped.returned_bytes)
        self.done = replace(self.done, after=await self.retention.database_bytes())
        return True

    async def _delete(self, partition: Partition, *, delivered: bool) -> bool:
        """Rows, oldest first, until enough is free. False when there were none."""
        any_gone = False
        while self._missing() > 0:
            gone = await self.retention.delete_oldest(
                partition, delivered=delivered, batch=self.batch
            )
            self._count_rows(gone.rows, gone.payload_bytes, gone.stored_bytes, delivered)
            any_gone = any_gone or gone.rows > 0
            if gone.last_id is None:
                break
        return any_gone

    async def _give_back(self, touched: Sequence[Partition]) -> None:
        tables = {one.name: one for each in touched
                  for one in [*plan.companions(each, self.found), each]}  # fmt: skip
        before = self.done.after
        await self.retention.give_back(list(tables.values()))
        after = await self.retention.database_bytes()
        back = max(0, before - after)
        self.done = replace(
            self.done,
            after=after,
            returned_bytes=self.done.returned_bytes + back,
            reusable_bytes=max(0, self.done.reusable_bytes - back),
        )

    # --- only looking ------------------------------------------------------------------------

    async def look(self) -> Shrunk:
        now = await self._begin()
        dropped = set()
        for partition in self._droppable(now):
            if self._missing() <= 0:
                break
            group = [*plan.companions(partition, self.found), partition]
            size = sum(one.size_bytes for one in group)
            self._count_drop(partition.name, self.held[partition.name], size)
            self.done = replace(self.done, after=self.done.after - size)
            dropped.add(partition.name)
        for partition in self._messages():
            if self._missing() > 0 and partition.name not in dropped:
                self._count_part(self.held[partition.name])
        self.done = replace(self.done, dry_run=True)
        return self.done

    def _count_part(self, held: Holding) -> None:
        """About as many rows as it takes, delivered ones before the others."""
        share = min(1.0, self._missing() / max(1, held.stored_bytes))
        rows = round((held.messages - held.pinned) * share)
        delivered = min(rows, held.delivered)
        for count, was in ((delivered, True), (rows - delivered, False)):
            part = count / max(1, held.messages - held.pinned)
            self._count_rows(
                count, round(held.payload_bytes * part), round(held.stored_bytes * part), was
            )

    # --- the report --------------------------------------------------------------------------

    def _count_drop(self, name: str, held: Holding, returned: int) -> None:
        known = self.done
        self.done = replace(
            known,
            messages=known.messages + held.messages,
            undelivered=known.undelivered + held.undelivered,
            payload_bytes=known.payload_bytes + held.payload_bytes,
            returned_bytes=known.returned_bytes + returned,
            partitions=(*known.partitions, name),
        )
        self._tell(f"{name}: {held.messages} messages, {returned} bytes returned")

    def _count_rows(self, rows: int, payload: int, stored: int, delivered: bool) -> None:
        known = self.done
        self.done = replace(
            known,
            messages=known.messages + rows,
            undelivered=known.undelivered + (0 if delivered else rows),
            payload_bytes=known.payload_bytes + payload,
            reusable_bytes=known.reusable_bytes + stored,
        )

    def _tell(self, line: str) -> None:
        if self.on_progress:
            self.on_progress(line)
