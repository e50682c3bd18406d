"""The daemon drains the spool by itself, as soon as the store takes messages again."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from busctl.core.fate import Fate
from busctl.core.operating.journal import Kind
from busctl.ops.reconcile import Step, reconcile, set_aside_old

if TYPE_CHECKING:
    from busctl.ops.serve.daemon import Daemon

log = logging.getLogger("busctl.serve")

TOLD = {Fate.EXPIRED: Kind.SPOOL_EXPIRED, Fate.DAMAGED: Kind.SPOOL_DAMAGED,
        Fate.REFUSED: Kind.SPOOL_DAMAGED}  # fmt: skip
"""What is an event each."""


async def drain_spool(daemon: Daemon) -> None:
    """One run, if anything waits and the store may be tried. Raises the store's errors."""
    spool, bus = daemon.spool, daemon.bus
    if spool is None:
        return
    steps: list[Step] = []
    try:
        if spool.ids() and not bus.store.writes.wait(bus.clock.monotonic()):
            await reconcile(bus.store, spool, bus.settings, bus.clock, on_step=steps.append)
    finally:
        # What was done before the store went away again was done; what it does not take, however
        # long that has waited, waits no more.
        steps += await set_aside_old(spool, bus.settings, bus.clock)
        _tell(daemon, steps)
        extent = spool.extent()
        daemon.meter.spool(extent.messages, extent.size_bytes, extent.aside)


def _tell(daemon: Daemon, steps: Sequence[Step]) -> None:
    for step in steps:
        daemon.meter.reconciled(step.fate.value)
        if step.fate in TOLD:
            log.error("set aside", extra={"id": str(step.transaction_id), "why": step.detail})
            daemon.trail.note(
                TOLD[step.fate], id=str(step.transaction_id), fate=step.fate.value,
                detail=step.detail,
            )  # fmt: skip
        elif step.fate is Fate.LEFT:
            log.warning("not stored", extra={"id": str(step.transaction_id), "why": step.detail})
    done = Counter(step.fate.value for step in steps)
    stored = done[Fate.STORED] + done[Fate.KNOWN]
    if stored:
        size = sum(step.size_bytes for step in steps if step.fate in (Fate.STORED, Fate.KNOWN))
        log.info("reconciled", extra={"messages": stored, "bytes": size})
        daemon.trail.note(Kind.RECONCILED, messages=stored, bytes=size, fates=dict(done))
