"""The daemon: what all sessions share, and how it comes and goes."""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import timedelta
from typing import Any

from busctl.core.breaker import Breaker, State
from busctl.core.configuration.settings import Settings
from busctl.core.errors import BusctlError
from busctl.core.operating.journal import DaemonState, Kind
from busctl.core.protocol import Close
from busctl.core.untraced import UNTRACED
from busctl.ops.bus import Bus
from busctl.ops.serve.calls import Calls
from busctl.ops.serve.fallback import Keeper
from busctl.ops.serve.session import Session
from busctl.ops.serve.trail import Trail
from busctl.ports import (
    Extent,
    Meter,
    Socket,
    TokenGuard,
    ToolHost,
    Tracer,
    Upstreams,
)

log = logging.getLogger("busctl.serve")

FAREWELL_SECS = 5.0
"""How long a client that reads nothing may hold up the end."""


BREAKER_KINDS = {
    State.OPEN: Kind.BREAKER_OPENED,
    State.HALF_OPEN: Kind.BREAKER_HALF_OPEN,
    State.CLOSED: Kind.BREAKER_CLOSED,
}


class Daemon:
    """Serves sessions on the sockets it is given. Nothing in it is authoritative: any number of
    daemons may share one store, each under a `name` of its own."""

    def __init__(
        self, bus: Bus, tools: ToolHost, guard: TokenGuard, meter: Meter, *, name: str,
        upstreams: Upstreams | None = None, tracer: Tracer = UNTRACED,
    ) -> None:  # fmt: skip
        self.bus = bus
        self.tools = tools
        self.upstreams = upstreams
        self.guard = guard
        self.meter = meter
        self.settings: Settings = bus.settings
        self.name = name
        self.trail = Trail(bus.clock, name)
        self.started_at = bus.clock.now()
        self.spool = bus.store.spool
        falls_back = self.settings.enabled and self.settings.fallback_to_websocket
        self.keeper = Keeper(
            bus, self.spool if falls_back else None, meter, self.trail, daemon=name
        )
        self.tracer = tracer
        self.calls = Calls(bus, tools, meter, self.keeper, daemon=name, tracer=tracer)
        self.sessions: set[Session] = set()
        self.store_state = "ok" if self.settings.enabled else "disabled"
        self.store_fault = ""
        self._asking: asyncio.Task[None] | None = None
        bus.store.on_change = self._breaker_changed
        bus.store.on_put = lambda draft: meter.took(draft.stored_size_bytes)

    @property
    def draining(self) -> bool:
        """Whether it is about to stop."""
        return self.calls.draining

    async def converse(self, socket: Socket) -> None:
        """Serve one connection until it is over."""
        session = Session(self, socket)
        self.sessions.add(session)
        self.meter.sessions(len(self.sessions))
        try:
            await session.converse()
        finally:
            self.sessions.discard(session)
            self.meter.sessions(len(self.sessions))

    async def settled(self, tool: str | None = None) -> None:
        """Wait for servers that are starting, unless the tool is there already."""
        if self.upstreams is None or (tool is not None and self.calls.offers(tool)):
            return
        await self.upstreams.settled()

    async def ask_store(self) -> str:
        """ "ok", "unavailable" or "disabled", asked now: reading with the schema works. A store
        that takes longer than MESSAGE_BUS_READ_TIMEOUT_SECS to say so is unavailable."""
        if not self.settings.enabled:
            return self.store_state
        # One question at a time, and never cut off: the breaker is to know how it ended.
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_store())
        _, late = await asyncio.wait([self._asking], timeout=self.settings.read_timeout_secs)
        if late:
            self._store_is(f"no answer within {self.settings.read_timeout_secs:g} s")
        return self.store_state

    async def _ask_store(self) -> None:
        try:
            await self.bus.store.ping()
            await self.bus.store.find(self.bus.clock.new_id())
        except BusctlError as error:
            self._store_is(error.message)
        else:
            self._store_is("")

    def _store_is(self, fault: str) -> None:
        before, self.store_fault = self.store_state, fault
        self.store_state = "unavailable" if fault else "ok"
        if before == self.store_state:
            return
        if fault:
            log.warning("store unavailable", extra={"error": fault})
            self.trail.note(Kind.STORE_AWAY, error=fault)
        else:
            log.info("store is back")
            self.trail.note(Kind.STORE_BACK)

    def _breaker_changed(self, breaker: Breaker, before: State) -> None:
        side = "writes" if breaker is self.bus.store.writes else "reads"
        detail = {"side": side, "before": before.value, "failures": breaker.failures}
        if breaker.state is not State.CLOSED:
            detail["reason"] = breaker.reason
        self.trail.note(BREAKER_KINDS[breaker.state], **detail)
        self.meter.breaker(side, breaker.state)
        level = logging.INFO if breaker.state is State.CLOSED else logging.WARNING
        log.log(level, "breaker %s", breaker.state, extra=detail)

    def refused(self, via: str, reason: str) -> None:
        """Count a client that was turned away."""
        self.meter.refused(via, reason)
        self.trail.count_refusal(via, reason)

    async def check_tokens(self) -> int:
        """End the sessions whose token was revoked or has expired; how many there were."""
        principals = {session.principal for session in self.sessions}
        gone = {each for each in principals if not await self.guard.holds(each)}
        leaving = [session for session in self.sessions if session.principal in gone]
        for session in leaving:
            log.warning("session dismissed", extra={"principal": session.principal.name})
            await session.dismiss("the token was revoked or has expired")
        return len(leaving)

    async def health(self) -> dict[str, Any]:
        """As `snapshot`, the store asked now."""
        await self.ask_store()
        return self.snapshot()

    def snapshot(self) -> dict[str, Any]:
        """`t` epoch seconds, pid, sessions, inflight calls, the store's last known state and why
        it is not ok, the breakers, what is switched on, and what waits in the spool."""
        store = self.bus.store
        spool = None if self.spool is None else self.spool.extent()
        return {
            "t": self.bus.clock.unix_ms() / 1000,
            "pid": os.getpid(),
            "sessions": len(self.sessions),
            "inflight": self.calls.inflight,
            "store": self.store_state,
            "store_fault": self.store_fault or None,
            "breaker": store.writes.state.value,
            "breaker_reads": store.reads.state.value,
            "enabled": self.settings.enabled,
            "fallback": self.keeper.spool is not None,
            "spool": spool and {
                "messages": spool.messages, "bytes": spool.size_bytes, "aside": spool.aside,
                "oldest": spool.oldest and spool.oldest.isoformat(),
            },
            "draining": self.calls.draining,
            **({} if self.upstreams is None else {"upstreams": self._servers()}),
        }  # fmt: skip

    def _servers(self) -> list[dict[str, Any]]:
        return [] if self.upstreams is None else [one.as_json() for one in self.upstreams.states()]

    def state(self, host: str, version: str) -> DaemonState:
        """How this daemon is, for the journal."""
        store, clock = self.bus.store, self.bus.clock
        now = clock.now()
        since = now - timedelta(seconds=clock.monotonic() - store.writes.since)
        spool = Extent(0, 0, None, 0) if self.spool is None else self.spool.extent()
        return DaemonState(
            self.name, host, os.getpid(), version, self.started_at, now,
            store.writes.state.value, since, spool.messages, spool.size_bytes, spool.oldest,
            len(self.sessions), self.calls.inflight, self.settings.enabled,
            self.keeper.spool is not None,
            {
                "breaker_reads": store.reads.state.value, "failures": store.writes.failures,
                "reason": store.writes.reason or None, "aside": spool.aside,
                "spool": self.spool and self.spool.place,
                "unrecorded_deliveries": self.bus.deliveries.unrecorded,
                "upstreams": self._servers(),
            },
        )  # fmt: skip

    async def drain(self) -> None:
        """Let running calls end or tell them off, then say goodbye to every session."""
        clock, seconds = self.bus.clock, self.settings.drain_timeout_secs
        deadline = clock.monotonic() + seconds
        await self.calls.drain(seconds)
        leaving = [
            asyncio.create_task(session.finish(Close.RESTARTING, "the daemon is stopping"))
            for session in self.sessions
        ]
        if leaving:
            patience = max(FAREWELL_SECS, deadline - clock.monotonic())
            _, late = await asyncio.wait(leaving, timeout=patience)
            for task in late:
                task.cancel()
        await self.bus.deliveries.flush()
