"""One upstream server: started, watched, started again, and what it offers kept at hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from busctl.core.errors import BusctlError, UpstreamFailed, UpstreamUnavailable
from busctl.core.mcp.upstream import Upstream
from busctl.core.mcp.upstream_restart import failures_after, wait_secs
from busctl.ports import Clock, Condition, Connector, Offering, UpstreamLine, UpstreamState

log = logging.getLogger("busctl.upstream")

CALM_SECS = 0.05
"""Changes of a list that follow one another within so long are one."""
Shapes = Sequence[Mapping[str, Any]]


class Server:
    """Runs one upstream until cancelled. `changed` is told when a list of it has."""

    def __init__(
        self, upstream: Upstream, connector: Connector, clock: Clock, *, start_secs: float,
        changed: Callable[[Offering], None],
    ) -> None:  # fmt: skip
        self.upstream = upstream
        self.settled = asyncio.Event()
        self.lists: dict[Offering, Shapes] = dict.fromkeys(Offering, ())
        self.templates: Shapes = ()
        self._connector = connector
        self._clock = clock
        self._start_secs = upstream.start_timeout_secs or start_secs
        self._changed = changed
        self._line: UpstreamLine | None = None
        self._condition = Condition.STARTING
        self._since = clock.monotonic()
        self._retry_at = 0.0
        self._starts = 0
        self._error: str | None = None
        self._left_out: Sequence[str] = ()
        self._stale: set[Offering] = set()
        self._told_stale = asyncio.Event()

    @property
    def name(self) -> str:
        return self.upstream.name

    @property
    def line(self) -> UpstreamLine:
        """The session. Raises UpstreamUnavailable while there is none."""
        if self._line is not None:
            return self._line
        wait = max(self._retry_at - self._clock.monotonic(), 0.0)
        why = f": {self._error}" if self._error else ""
        raise UpstreamUnavailable(
            f"The upstream {self.name!r} is {self._condition.value}{why}",
            retry_after=round(max(wait, 1.0), 1),
        )

    def state(self) -> UpstreamState:
        line = self._line
        return UpstreamState(
            self.name, self._condition, round(self._clock.monotonic() - self._since, 1),
            self._starts, len(self.lists[Offering.TOOLS]), None if line is None else line.protocol,
            None if line is None else line.pid, self._error, self._left_out,
        )  # fmt: skip

    async def run(self) -> None:
        """Keep it running, until cancelled."""
        failures = 0
        try:
            while True:
                began = self._clock.monotonic()
                error = await self._serve()
                served = self._clock.monotonic() - began if self._line is not None else 0.0
                self._line = None
                failures = failures_after(failures, served)
                wait = wait_secs(failures)
                self._retry_at = self._clock.monotonic() + wait
                self._become(Condition.WAITING, error)
                log.warning(
                    "upstream away",
                    extra={"upstream": self.name, "error": error, "again_in_secs": wait},
                )
                await asyncio.sleep(wait)
        finally:
            self._line = None
            self._become(Condition.STOPPED, None)

    async def _serve(self) -> str:
        """Start it and stay until it is over; why it is."""
        self._become(Condition.STARTING, self._error)
        self._starts += 1
        log.info("upstream starting", extra={"upstream": self.name, "via": self.upstream.via.shown})
        try:
            async with self._connector.connect(
                self.upstream, self._hear, start_secs=self._start_secs
            ) as line:
                async with asyncio.timeout(self._start_secs):
                    await self._look(line, set(Offering))
                self._line = line
                self._become(Condition.READY, None)
                self._tell_ready(line)
                return await self._until_over(line)
        except TimeoutError:
            return f"it did not list what it offers within {self._start_secs:g} s"
        except BusctlError as error:
            return error.message

    async def _until_over(self, line: UpstreamLine) -> str:
        looking = asyncio.create_task(self._keep_looking(line))
        try:
            return await line.ended()
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    def _tell_ready(self, line: UpstreamLine) -> None:
        log.info(
            "upstream ready",
            extra={
                "upstream": self.name, "protocol": line.protocol, "pid": line.pid,
                "tools": len(self.lists[Offering.TOOLS]),
            },
        )  # fmt: skip

    def _become(self, condition: Condition, error: str | None) -> None:
        if condition is not self._condition:
            self._since = self._clock.monotonic()
        self._condition, self._error = condition, error
        if condition is not Condition.STARTING:
            self.settled.set()

    # --- lists -----------------------------------------------------------------------------

    def _hear(self, offering: Offering) -> None:
        self._stale.add(offering)
        self._told_stale.set()

    async def _keep_looking(self, line: UpstreamLine) -> None:
        while True:
            await self._told_stale.wait()
            await asyncio.sleep(CALM_SECS)
            self._told_stale.clear()
            stale, self._stale = self._stale, set()
            try:
                await self._look(line, stale)
            except (UpstreamFailed, UpstreamUnavailable) as error:
                # What was listed before is the best that is known.
                log.warning(
                    "upstream list not read", extra={"upstream": self.name, "error": error.message}
                )

    async def _look(self, line: UpstreamLine, which: set[Offering]) -> None:
        """Read these lists, and tell of those that have changed."""
        found: dict[Offering, Shapes] = {}
        templates = self.templates
        if Offering.TOOLS in which:
            found[Offering.TOOLS] = await line.list_tools()
        if Offering.PROMPTS in which:
            found[Offering.PROMPTS] = await line.list_prompts()
        if Offering.RESOURCES in which:
            found[Offering.RESOURCES] = await line.list_resources()
            templates = await line.list_resource_templates()
        if list(self._left_out) != list(line.left_out):
            self._left_out = tuple(line.left_out)
            log.warning(
                "upstream lists what is left out",
                extra={"upstream": self.name, "left_out": list(self._left_out)},
            )
        changed = [each for each in found if found[each] != self.lists[each]]
        if templates != self.templates and Offering.RESOURCES not in changed:
            changed.append(Offering.RESOURCES)
        self.lists.update(found)
        self.templates = templates
        for each in changed:
            self._changed(each)
