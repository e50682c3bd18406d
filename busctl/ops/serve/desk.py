"""What the daemon tells dashboards. Everybody who looks at the same thing shares one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from busctl.core.alert import Notice
from busctl.core.envelope import Envelope, Event
from busctl.core.errors import AccessDenied, BusctlError
from busctl.core.finding import Finding
from busctl.core.flow import Flow, Load, Now, Window
from busctl.core.health import Health
from busctl.core.trace import Trace
from busctl.ops.serve.daemon import Daemon
from busctl.ops.serve.shared import Shared
from busctl.ops.top import top
from busctl.ops.trace import trace_of
from busctl.ops.verify import verify
from busctl.ports import AlertBook, Filter, Inspection, Journal, Traffic

NOW_SECS, LOAD_SECS, HEALTH_SECS = 1.0, 30.0, 10.0
NOTICES = 100
VERIFIED_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the desk looks. `look` makes the checks."""

    traffic: Traffic
    journal: Journal
    alerts: AlertBook
    inspection: Inspection
    look: Callable[[], Awaitable[Health]]


class Desk:
    """Implements `busctl.ports.Desk` for one daemon."""

    def __init__(self, daemon: Daemon, sources: Sources) -> None:
        self._daemon = daemon
        self._bus = daemon.bus
        self._from = sources
        self._shared = Shared(daemon.bus.clock)
        self._verifying = asyncio.Semaphore(VERIFIED_AT_ONCE)

    @property
    def draining(self) -> bool:
        return self._daemon.calls.draining

    async def now(self, window: Window, owner: str | None) -> Now:
        found: Now = await self._shared.get(
            ("now", window, owner), lambda: self._now(window, owner), secs=NOW_SECS
        )
        return replace(found, here=self._daemon.snapshot())

    def load(self) -> Load | None:
        return self._shared.latest("load", self._load, secs=LOAD_SECS)

    async def listing(self, wanted: Filter) -> Sequence[Envelope]:
        return await self._shared.get(wanted, lambda: self._bus.list(wanted), secs=NOW_SECS)

    async def envelope(self, transaction_id: UUID, owner: str | None) -> Envelope:
        found = await self._bus.stat(transaction_id)
        if owner is not None and found.labels.owner != owner:
            await self._bus.note_denied(transaction_id, {"principal": owner})
            raise AccessDenied(
                f"Message {transaction_id} belongs to another principal.",
                transaction_id=transaction_id,
            )
        return found

    async def events(self, transaction_id: UUID, owner: str | None) -> Sequence[Event]:
        await self._allow(transaction_id, owner)
        return await self._bus.events(transaction_id)

    async def trace(self, transaction_id: UUID, owner: str | None) -> Trace:
        await self._allow(transaction_id, owner)
        return await trace_of(self._bus, self._from.inspection, transaction_id)

    async def piece(
        self, transaction_id: UUID, offset: int, length: int, owner: str | None
    ) -> bytes:
        await self._allow(transaction_id, owner)
        opened = await self._bus.peek(transaction_id, offset=offset, length=length)
        return b"".join([bytes(piece) async for piece in opened.pieces])

    async def verify(self, transaction_id: UUID, owner: str | None) -> Sequence[Finding]:
        await self._allow(transaction_id, owner)
        async with self._verifying:
            return (await verify(self._bus, transaction_id)).findings

    async def health(self) -> Health:
        return await self._shared.get("health", self._from.look, secs=HEALTH_SECS)

    async def notices(self) -> Sequence[Notice]:
        ask = self._from.alerts.notices
        return await self._shared.get("notices", lambda: ask(NOTICES), secs=HEALTH_SECS)

    # --- inside ----------------------------------------------------------------------------

    async def _allow(self, transaction_id: UUID, owner: str | None) -> None:
        """Everybody's messages need no look; one of another owner raises AccessDenied, and one
        that is gone MessageExpired or MessageMissing: nobody's own any more."""
        if owner is not None:
            await self.envelope(transaction_id, owner)

    async def _now(self, window: Window, owner: str | None) -> Now:
        ask = self._from
        try:
            return await top(self._bus, ask.traffic, ask.journal, ask.alerts, window, owner)
        except BusctlError as error:
            return Now(Flow(window, (), ()), (), (), (), store_fault=error.message)

    async def _load(self) -> Load:
        store = self._bus.store
        return await store.guarded(self._from.traffic.load(), store.reads)
