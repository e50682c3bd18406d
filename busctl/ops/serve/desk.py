"""What the daemon tells dashboards. Everybody who looks at the same thing shares one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

from busctl.core.envelope import Envelope, Event
from busctl.core.errors import AccessDenied, BusctlError
from busctl.core.operating.alert import Notice
from busctl.core.operating.finding import Finding
from busctl.core.operating.flow import Flow, Load, Now, Window
from busctl.core.operating.health import Health
from busctl.core.trace import Trace
from busctl.core.watching.watch import Watch
from busctl.ops.bus import Bus
from busctl.ops.serve.shared import Shared
from busctl.ops.top import top
from busctl.ops.trace import trace_of
from busctl.ops.verify import verify
from busctl.ports import AlertBook, Filter, Inspection, Journal, Meter, Traffic

NOW_SECS, FLOW_SECS, LOAD_SECS, HEALTH_SECS = 1.0, 3.0, 30.0, 10.0
NOTICES = 100
OBSERVATIONS = 50
VERIFIED_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the desk looks. `look` makes the checks."""

    traffic: Traffic
    journal: Journal
    alerts: AlertBook
    inspection: Inspection
    look: Callable[[], Awaitable[Health]]


class Host(Protocol):
    """Whose desk it is: a daemon, or an `Onlooker`. `name` is its name in the journal."""

    name: str

    meter: Meter

    @property
    def draining(self) -> bool: ...

    def snapshot(self) -> dict[str, Any]:
        """How it is, as `Daemon.snapshot` tells it; {} where nothing is called."""


class Onlooker:
    """The host of a dashboard without a daemon: it takes no calls and has no spool."""

    name = ""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.draining = False

    def snapshot(self) -> dict[str, Any]:
        return {}


class Desk:
    """Implements `busctl.ports.Desk`."""

    def __init__(self, host: Host, bus: Bus, sources: Sources) -> None:
        self._host = host
        self._bus = bus
        self._from = sources
        self._shared = Shared(bus.clock)
        self._verifying = asyncio.Semaphore(VERIFIED_AT_ONCE)

    @property
    def draining(self) -> bool:
        return self._host.draining

    async def now(self, window: Window, owner: str | None) -> Now:
        found: Now = await self._shared.get(
            ("now", window, owner), lambda: self._now(window, owner), secs=NOW_SECS
        )
        return replace(found, here=self._here(), at=self._bus.clock.now())

    def load(self) -> Load | None:
        return self._shared.latest("load", self._load, secs=LOAD_SECS)

    async def look(self) -> None:
        """For upkeep: have `load` known, and metrics with it. Raises the store's errors."""
        await self._shared.get("load", self._load, secs=LOAD_SECS / 2)

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
            began = self._bus.clock.monotonic()
            findings = (await verify(self._bus, transaction_id)).findings
            seconds = self._bus.clock.monotonic() - began
            self._host.meter.verified(not findings, seconds)
            return findings

    async def health(self) -> Health:
        return await self._shared.get("health", self._from.look, secs=HEALTH_SECS)

    async def watch(self) -> Watch:
        store, ask = self._bus.store, self._from.traffic.watch
        return await self._shared.get(
            "watch", lambda: store.guarded(ask(OBSERVATIONS), store.reads), secs=HEALTH_SECS
        )

    async def observed(self, transaction_id: UUID, owner: str | None) -> Watch:
        await self._allow(transaction_id, owner)
        store = self._bus.store
        return await store.guarded(self._from.traffic.observed(transaction_id), store.reads)

    async def notices(self) -> Sequence[Notice]:
        ask = self._from.alerts.notices
        return await self._shared.get("notices", lambda: ask(NOTICES), secs=HEALTH_SECS)

    def _here(self) -> dict[str, Any]:
        found = self._host.snapshot()
        return {"daemon": self._host.name, **found} if found else {}

    # --- inside ----------------------------------------------------------------------------

    async def _allow(self, transaction_id: UUID, owner: str | None) -> None:
        """Everybody's messages need no look; one of another owner raises AccessDenied, and one
        that is gone MessageExpired or MessageMissing: nobody's own any more."""
        if owner is not None:
            await self.envelope(transaction_id, owner)

    async def _now(self, window: Window, owner: str | None) -> Now:
        ask, flow = self._from, Flow(window, (), ())
        try:
            flow = await self._flow(window, owner)
            newest = await self._flow(Window.QUARTER, owner)
            found = await top(self._bus, ask.journal, ask.alerts, flow, owner)
            return replace(found, rates=newest.rates(self._bus.clock.now()))
        except BusctlError as error:
            return Now(flow, (), (), (), store_fault=error.message)

    async def _flow(self, window: Window, owner: str | None) -> Flow:
        """The last one at once: a long window takes a while to sum, and its roll-up is written
        every few seconds only. Nobody but the first waits for it."""
        key, store = ("flow", window, owner), self._bus.store

        async def ask() -> Flow:
            return await store.guarded(self._from.traffic.flow(window, owner), store.reads)

        known = self._shared.latest(key, ask, secs=FLOW_SECS)
        if known is not None:
            return known
        fresh: Flow = await self._shared.get(key, ask, secs=FLOW_SECS)
        return fresh

    async def _load(self) -> Load:
        self._bus.require_enabled(None)
        store = self._bus.store
        found = await store.guarded(self._from.traffic.load(), store.reads)
        self._host.meter.load(found, self._bus.clock.unix_ms() / 1000)
        return found
