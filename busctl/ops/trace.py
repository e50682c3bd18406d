"""Trace: what is known of a payload at each hop, and the store looked at now."""

from __future__ import annotations

from uuid import UUID

from busctl.core.trace import Trace, trace
from busctl.ops.bus import Bus
from busctl.ports import Inspection


async def trace_of(bus: Bus, inspection: Inspection, transaction_id: UUID) -> Trace:
    """Put the trail of a message in order. Raises MessageMissing (MessageExpired) when neither the
    message nor an event of it is there; one that is gone still has its trail."""
    events = await bus.events(transaction_id)
    looked = await inspection.look([transaction_id])
    stored = looked[0] if looked else None
    if not events and stored is None:
        raise await bus.absent(transaction_id)
    return trace(events, stored, bus.clock.now())
