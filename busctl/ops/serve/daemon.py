"""The daemon: what all sessions share, and how it comes and goes."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from busctl.core.errors import BusctlError
from busctl.core.protocol import Close
from busctl.core.settings import Settings
from busctl.ops.bus import Bus
from busctl.ops.serve.calls import Calls
from busctl.ops.serve.session import Session
from busctl.ports import Meter, Socket, TokenGuard, ToolHost

log = logging.getLogger("busctl.serve")

FAREWELL_SECS = 5.0
"""How long a client that reads nothing may hold up the end."""


class Daemon:
    """Serves sessions on the sockets it is given. Nothing in it is authoritative: any number of
    daemons may share one store, each under a `name` of its own."""

    def __init__(
        self, bus: Bus, tools: ToolHost, guard: TokenGuard, meter: Meter, *, name: str
    ) -> None:
        self.bus = bus
        self.tools = tools
        self.guard = guard
        self.meter = meter
        self.settings: Settings = bus.settings
        self.calls = Calls(bus, tools, meter, daemon=name)
        self.sessions: set[Session] = set()
        self.store_state = "ok"

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

    async def ask_store(self) -> str:
        """ "ok" or "unavailable", asked now: reading with the schema works."""
        before = self.store_state
        try:
            async with asyncio.timeout(self.settings.read_timeout_secs):
                await self.bus.store.ping()
                await self.bus.store.find(self.bus.clock.new_id())
            self.store_state = "ok"
        except (BusctlError, TimeoutError) as error:
            self.store_state = "unavailable"
            if before != self.store_state:
                log.warning("store unavailable", extra={"error": str(error) or "timed out"})
        if before != self.store_state == "ok":
            log.info("store is back")
        return self.store_state

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
        """`t` epoch seconds, pid, sessions, inflight calls, and the store's last known state."""
        return {
            "t": self.bus.clock.unix_ms() / 1000,
            "pid": os.getpid(),
            "sessions": len(self.sessions),
            "inflight": self.calls.inflight,
            "store": self.store_state,
            "draining": self.calls.draining,
        }

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
