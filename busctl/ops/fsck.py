"""fsck: look at what is stored, batch by batch and in bounded memory, and go on where it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from busctl.core.fsck import Fault, Inspected, faults_of, finding_of, orphan_finding
from busctl.core.operating.finding import Finding, Report
from busctl.core.watching.truncation import TruncationScan, suspicion_finding
from busctl.ops.bus import Bus
from busctl.ops.verify import Read, verify
from busctl.ports import Inspection

BATCH = 500
BATCH_BYTES = 32 << 20
"""Stored bytes that one statement has the server hash."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at: ids [first, last), a share of them (0 to 1) chosen with `seed`, from behind
    `after` on, for at most `seconds`. `full` reads each payload too, `content` looks at what it
    reads for signs of truncation by a tool."""

    first: UUID
    last: UUID
    share: float = 1.0
    seed: int = 0
    after: UUID | None = None
    seconds: float | None = None
    full: bool = False
    content: bool = False

    @property
    def reads(self) -> bool:
        return self.full or self.content


@dataclass
class Checked:
    """How far it got. `total` are messages and stored bytes of the whole scope, `next` the id
    behind which to go on (None: the end was reached), `marked` how many were marked."""

    total_messages: int = 0
    total_bytes: int = 0
    messages: int = 0
    stored_bytes: int = 0
    read_bytes: int = 0
    marked: int = 0
    next: UUID | None = None
    findings: list[Finding] = field(default_factory=list)
    damaged: dict[UUID, Fault] = field(default_factory=dict)

    @property
    def report(self) -> Report:
        return Report(self.messages, tuple(self.findings))

    @property
    def share(self) -> float:
        """Of the messages in scope, 0 to 1; an empty scope was looked at whole."""
        return self.messages / self.total_messages if self.total_messages else 1.0


async def fsck(
    bus: Bus, inspection: Inspection, scope: Scope, checked: Checked, *,
    fix_status: bool = False, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Fill `checked`, which tells how far it got even when this raises the store's errors.

    Stored digests are checked by the server, then the structure: chunks against their count, sizes
    against lengths, envelope against trail, chunks without an envelope. `fix_status` marks what is
    damaged; nothing is ever deleted.
    """
    began = bus.clock.monotonic()
    checked.total_messages, checked.total_bytes = await inspection.totals(scope.first, scope.last)
    after = scope.after or UUID(int=max(0, scope.first.int - 1))
    checked.next = after
    while batch := await _batch(inspection, scope, after):
        await _look(bus, inspection, scope, checked, [chosen for chosen, _ in batch])
        if fix_status:
            checked.marked += await _mark(inspection, checked)
        await _orphans(inspection, checked, UUID(int=after.int + 1), batch[-1][0])
        after = checked.next = batch[-1][0]
        checked.messages += len(batch)
        size = sum(stored for _, stored in batch)
        checked.stored_bytes += size
        if progress is not None:
            progress(size)
        if scope.seconds is not None and bus.clock.monotonic() - began >= scope.seconds:
            return
    await _orphans(inspection, checked, UUID(int=after.int + 1), scope.last)
    checked.next = None


async def _batch(inspection: Inspection, scope: Scope, after: UUID) -> list[tuple[UUID, int]]:
    """The next ids: at least one, else no more than the server is to hash at a time."""
    picked = await inspection.pick(
        after, scope.last, limit=BATCH, share=scope.share, seed=scope.seed
    )
    batch: list[tuple[UUID, int]] = []
    held = 0
    for one in picked:
        if batch and held + one[1] > BATCH_BYTES:
            break
        batch.append(one)
        held += one[1]
    return batch


async def _look(
    bus: Bus, inspection: Inspection, scope: Scope, checked: Checked, ids: Sequence[UUID]
) -> None:
    for one in await inspection.look(ids):
        faults = await _confirmed(inspection, one)
        for fault in faults:
            checked.findings.append(finding_of(one.transaction_id, fault))
        if faults:
            checked.damaged[one.transaction_id] = faults[0]
        elif scope.reads:
            await _read(bus, checked, one, content=scope.content)


async def _confirmed(inspection: Inspection, one: Inspected) -> list[Fault]:
    """Faults that are there at a second look as well: a message may be leaving just now."""
    faults = faults_of(one)
    if not faults:
        return []
    again = await inspection.look([one.transaction_id])
    return faults_of(again[0]) if again else []


async def _read(bus: Bus, checked: Checked, one: Inspected, *, content: bool) -> None:
    """What the server cannot see: the raw digests, behind the compression, and the content."""
    scans: list[TruncationScan] = []

    def began(content_type: str) -> Read | None:
        scans.append(TruncationScan(content_type))
        return scans[0].add if scans[0].looks else None

    found = await verify(bus, one.transaction_id, reader=began if content else None)
    checked.read_bytes += found.size
    if found.claim is None:
        return  # it has left in the meantime
    checked.findings += found.findings
    if found.findings:
        first = found.findings[0]
        checked.damaged[one.transaction_id] = Fault(first.kind, first.message)
        return
    for scan in scans:
        checked.findings += [
            suspicion_finding(one.transaction_id, each)
            for each in await asyncio.to_thread(scan.suspicions)
        ]


async def _mark(inspection: Inspection, checked: Checked) -> int:
    details = {chosen: fault.as_detail() for chosen, fault in checked.damaged.items()}
    checked.damaged.clear()
    return await inspection.mark_damaged(details) if details else 0


async def _orphans(inspection: Inspection, checked: Checked, first: UUID, last: UUID) -> None:
    """Chunks without an envelope in [first, last]; at a second look too, because a partition's
    two halves leave one after the other."""
    found = await inspection.orphans(first, last)
    if found:
        again = {one.transaction_id for one in await inspection.orphans(first, last)}
        checked.findings += [orphan_finding(one) for one in found if one.transaction_id in again]
