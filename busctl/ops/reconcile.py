"""The spool is drained: what waits there goes into the store under its own id and times.

Each step may be repeated: the store recognises an id it has, events are written once, and a file
goes only when both are done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Event
from busctl.core.errors import (
    FileFailed,
    MessageCorrupt,
    SpoolDamaged,
    StoreFailed,
    TransactionConflict,
)
from busctl.core.fate import SETTLED, Fate
from busctl.core.hops import measured
from busctl.core.ids import time_of
from busctl.ports import Clock, Held, Request, Spool, Store, Waiting

HOP = "reconcile"
SPOOL_HOP = "spool"

log = logging.getLogger("busctl.reconcile")


@dataclass(frozen=True, slots=True)
class Step:
    """One message and its fate; `detail` says why, or where its file is now."""

    transaction_id: UUID
    fate: Fate
    size_bytes: int = 0
    detail: str = ""


@dataclass(slots=True)
class ReconcileReport:
    """One run. `steps` has a message each, oldest first."""

    dry_run: bool = False
    steps: list[Step] = field(default_factory=list)
    seconds: float = 0.0

    def of(self, *fates: Fate) -> Sequence[Step]:
        """The steps that ended so."""
        return [step for step in self.steps if step.fate in fates]

    @property
    def ok(self) -> bool:
        """Whether nothing is left, and nothing was set aside."""
        return all(step.fate in SETTLED for step in self.steps)


Told = Callable[[Step], None]


async def reconcile(
    store: Store, spool: Spool, settings: Settings, clock: Clock, *, on_step: Told | None = None
) -> ReconcileReport:
    """Drain the spool into the store.

    Raises the store's errors when it is away: what was done is done, the rest waits on. What
    concerns one message only is in the report, and the others go on.
    """
    report, began = ReconcileReport(), clock.monotonic()
    spool.sweep()
    for transaction_id in spool.ids():
        step = await _one(store, spool, settings, clock, transaction_id)
        if step is None:
            continue
        report.steps.append(step)
        if on_step is not None:
            on_step(step)
    report.seconds = clock.monotonic() - began
    return report


async def look(spool: Spool, clock: Clock) -> ReconcileReport:
    """What waits; the store is not asked, and nothing is changed."""
    report, began = ReconcileReport(dry_run=True), clock.monotonic()
    for transaction_id in spool.ids():
        try:
            async with spool.hold(transaction_id) as held:
                if held is not None:
                    report.steps.append(_step(held, Fate.WAITING, held.waiting.reason))
                elif spool.holds(transaction_id):
                    report.steps.append(_locked(transaction_id))
        except SpoolDamaged as error:
            report.steps.append(Step(transaction_id, Fate.DAMAGED, detail=error.message))
        except FileFailed as error:
            report.steps.append(Step(transaction_id, Fate.LEFT, detail=error.message))
    report.seconds = clock.monotonic() - began
    return report


async def set_aside_old(spool: Spool, settings: Settings, clock: Clock) -> Sequence[Step]:
    """What has waited longer than BUSCTL_SPOOL_MAX_AGE_HOURS waits no more, store or none. A file
    that cannot be read is left to `reconcile`, which names it."""
    oldest = clock.now() - timedelta(hours=settings.spool_max_age_hours)
    steps = []
    for transaction_id in spool.ids():
        if time_of(transaction_id) >= oldest:
            break
        with suppress(SpoolDamaged, FileFailed):
            async with spool.hold(transaction_id) as held:
                if held is not None and held.waiting.at < oldest:
                    steps.append(await _set_aside(held, Fate.EXPIRED))
    return steps


async def _one(
    store: Store, spool: Spool, settings: Settings, clock: Clock, transaction_id: UUID
) -> Step | None:
    """None for a message that has left meanwhile."""
    try:
        async with spool.hold(transaction_id) as held:
            if held is not None:
                return await _drained(store, held, settings, clock)
            return _locked(transaction_id) if spool.holds(transaction_id) else None
    except SpoolDamaged as error:
        return await _damaged(store, spool, clock, transaction_id, error)
    except FileFailed as error:
        return Step(transaction_id, Fate.LEFT, detail=error.message)


async def _damaged(
    store: Store, spool: Spool, clock: Clock, transaction_id: UUID, error: SpoolDamaged
) -> Step | None:
    """Told and set aside; None when another process was quicker."""
    why = {"spool": True, "why": error.message}
    if spool.holds(transaction_id):
        await store.record_events([Event(transaction_id, clock.now(), "corrupt", HOP, why)])
    try:
        place = await spool.set_aside(transaction_id, Fate.DAMAGED)
    except FileFailed as failed:
        if not spool.holds(transaction_id):
            return None
        return Step(transaction_id, Fate.LEFT, detail=failed.message)
    return Step(transaction_id, Fate.DAMAGED, detail=f"{error.message} Its file: {place}")


async def _drained(store: Store, held: Held, settings: Settings, clock: Clock) -> Step:
    transaction_id = held.waiting.draft.transaction_id
    if time_of(transaction_id) < clock.now() - settings.horizon:
        why = {"why": "waited past the horizon"}
        await store.record_events([Event(transaction_id, clock.now(), "expired", HOP, why)])
        return await _set_aside(held, Fate.EXPIRED)
    try:
        stored = await held.put_into(store)
    except TransactionConflict:
        return await _set_aside(held, Fate.REFUSED)
    except SpoolDamaged:
        raise
    except (StoreFailed, MessageCorrupt) as error:
        return _step(held, Fate.LEFT, error.message)
    await _record(store, held.waiting, clock, fresh=stored.fresh)
    await held.done()
    return _step(held, Fate.STORED if stored.fresh else Fate.KNOWN)


async def _record(store: Store, waiting: Waiting, clock: Clock, *, fresh: bool) -> None:
    """Its events, and that its request was answered: a repeat is not run again."""
    draft, labels = waiting.draft, waiting.draft.labels
    request = (
        Request(labels.owner, labels.session_id, labels.request_id)
        if labels.session_id is not None and labels.request_id is not None
        else None
    )
    # The digest was taken when the message was sealed into the spool.
    sealed = measured(draft.payload_size_bytes, draft.checksum.hex())
    detail = {"reason": waiting.reason, "daemon": waiting.daemon, **sealed}
    fell_back = Event(draft.transaction_id, waiting.at, "fell_back", SPOOL_HOP, detail)
    reconciled = Event(draft.transaction_id, clock.now(), "reconciled", HOP, {"fresh": fresh})
    await store.record_reconciled(fell_back, reconciled, request, draft.ttl)


async def _set_aside(held: Held, fate: Fate) -> Step:
    place = await held.set_aside(fate.value)
    return _step(held, fate, f"its file: {place}")


def _locked(transaction_id: UUID) -> Step:
    return Step(transaction_id, Fate.LOCKED, detail="another process is draining it")


def _step(held: Held, fate: Fate, detail: str = "") -> Step:
    draft = held.waiting.draft
    return Step(draft.transaction_id, fate, draft.payload_size_bytes, detail)
