"""Top: what flows now, as the dashboard's first page and `busctl top` show it."""

from __future__ import annotations

from busctl.core.operating.flow import Flow, Now
from busctl.ops.bus import Bus
from busctl.ports import AlertBook, Filter, Journal

RECENT = 8


async def top(
    bus: Bus, journal: Journal, book: AlertBook, flow: Flow, owner: str | None = None
) -> Now:
    """`flow` with the daemons, the alerts that are raised, and the newest messages. Raises the
    store's errors."""
    guarded, reads = bus.store.guarded, bus.store.reads
    daemons = await guarded(journal.daemons(), reads)
    alerts = await guarded(book.alerts(), reads)
    recent = await bus.list(Filter(owner=owner, limit=RECENT))
    return Now(flow, daemons, [one for one in alerts if one.raised_at is not None], recent)
