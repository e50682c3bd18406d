"""How partitions leave: detached without stopping readers or writers, looked at once more, dropped.

A run may be killed between any two steps; the next one reads the catalog and goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from busctl.adapters.postgres.pool import Row, Session
from busctl.core.ids import first_id, unix_ms
from busctl.core.retention import EVENTS, MESSAGES
from busctl.ports import Dropped, Partition


def span(lower: datetime, upper: datetime) -> str:
    """The ids of [lower, upper) as an SQL condition; written out, so that planning prunes."""
    first, end = first_id(unix_ms(lower)), first_id(unix_ms(upper))
    return f"(transaction_id >= '{first}' and transaction_id < '{end}')"


async def detach(session: Session, partition: Partition, sql: Mapping[str, str]) -> None:
    """Detach, or finish a detach that was interrupted; nothing where it is done already."""
    state = (await _states(session, [partition], sql)).get(partition.name)
    how = {"attached": "concurrently", "pending": "finalize"}.get(state or "")
    if how:
        await session.command(
            f"alter table bus.{partition.parent} detach partition bus.{partition.name} {how}"
        )


class Group:
    """Partitions of one time span that leave in one transaction, at most one of them messages'."""

    def __init__(
        self, partitions: Sequence[Partition], now: datetime, sql: Mapping[str, str],
        reason: str | None = None,
    ) -> None:  # fmt: skip
        self._reason = reason
        self._partitions = partitions
        self._now = now
        self._sql = sql
        self._counted: Row | None = None
        self._message = next((one for one in partitions if one.parent == MESSAGES), None)
        self._span = span(
            min(one.lower for one in partitions), max(one.upper for one in partitions)
        )

    async def count(self, session: Session) -> None:
        """Count while it is attached, before anything is locked."""
        states = await _states(session, self._partitions, self._sql)
        if self._message and states.get(self._message.name) == "attached":
            self._counted = await self._ask(session, "expired_count", span=self._span)

    async def drop_or_restore(self, session: Session) -> Dropped | None:
        """Drop all, with an event for a message partition; put all back (None) when a message
        turned up that has not expired."""
        states = await _states(session, self._partitions, self._sql)
        there = [one for one in self._partitions if one.name in states]
        keeping = [one for one in there if one.parent != EVENTS]
        for partition in keeping:
            await _guard(session, partition, states[partition.name])
        if keeping and await self._is_live(session, states):
            for partition in keeping:
                await self._restore(session, partition, states[partition.name])
            return None
        return await self._drop(session, there)

    async def _is_live(self, session: Session, states: Mapping[str, str]) -> bool:
        row = await self._ask(session, "retention_live", span=self._span)
        if not row[0] and self._message and states.get(self._message.name) in DETACHED:
            row = await self._ask(session, "retention_live_in", table=self._message.name)
        return bool(row[0])

    async def _drop(self, session: Session, there: Sequence[Partition]) -> Dropped:
        names = [one.name for one in there]
        if not names:
            return Dropped(0, 0, 0)
        rows, payload_bytes = 0, 0
        size = await session.only(self._sql["partition_bytes"], {"names": names})
        if self._message is not None and self._message in there:
            counted = self._counted or await self._ask(
                session, "expired_count_in", table=self._message.name
            )
            rows, payload_bytes = counted[0], counted[1]
            await self._record(session, self._message, rows, payload_bytes, size[0])
        await session.command("drop table " + ", ".join(f"bus.{name}" for name in names))
        return Dropped(rows, payload_bytes, size[0])

    async def _record(
        self, session: Session, message: Partition, rows: int, payload_bytes: int, size: int
    ) -> None:
        detail: dict[str, object] = {
            "partition": message.name, "rows": rows, "payload_bytes": payload_bytes,
            "returned_bytes": size, "from": message.lower.isoformat(),
            "to": message.upper.isoformat(),
        }  # fmt: skip
        if self._reason is not None:
            detail["reason"] = self._reason
        day = {"first": message.lower, "last": message.lower}
        await session.one(self._sql["events_ready"], day)
        await session.run(
            self._sql["partition_expired_event"],
            {"lower": message.lower, "detail": Jsonb(detail)},
        )

    async def _restore(self, session: Session, partition: Partition, state: str) -> None:
        if state not in DETACHED:
            return
        parent, child = f"bus.{partition.parent}", f"bus.{partition.name}"
        first, end = first_id(unix_ms(partition.lower)), first_id(unix_ms(partition.upper))
        await session.command(
            f"alter table {child} force row level security; alter table {parent} "
            f"attach partition {child} for values from ('{first}') to ('{end}')"
        )
        names = {"table": child, "parent": parent}
        for (check,) in await session.all(self._sql["detach_leftover_checks"], names):
            await session.command(f'alter table {child} drop constraint "{check}"')

    async def _ask(self, session: Session, name: str, **parts: str) -> Row:
        return await session.only(self._sql[name].format(**parts), {"now": self._now})


DETACHED = frozenset({"pending", "detached"})


async def _guard(session: Session, partition: Partition, state: str) -> None:
    """Nobody writes from here on. What is attached stays readable until the drop itself; what is
    detached is shown to its owner, since a partition has no policies of its own."""
    if state == "pending":
        await session.command(
            f"alter table bus.{partition.parent} detach partition bus.{partition.name} finalize"
        )
    if state in DETACHED:
        await session.command(f"alter table bus.{partition.name} no force row level security")
    else:
        await session.command(f"lock table only bus.{partition.name} in share mode")


async def _states(
    session: Session, partitions: Sequence[Partition], sql: Mapping[str, str]
) -> dict[str, str]:
    """attached, pending or detached for each partition that still exists."""
    names = {"names": [one.name for one in partitions]}
    return {row[0]: row[1] for row in await session.all(sql["retention_states"], names)}
