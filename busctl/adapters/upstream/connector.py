"""Reaching upstream servers: the carrier, the session on it, and the greeting in either era."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx2
from mcp.client._probe import negotiate_auto
from mcp.client.session import ClientSession, IncomingMessage, LoggingFnT, MessageHandlerFnT
from mcp.client.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    SubscriptionLost,
    ToolsListChanged,
    listen,
)
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate
from mcp_types import (
    CONNECTION_CLOSED,
    Implementation,
    LoggingMessageNotificationParams,
    PromptListChangedNotification,
    ResourceListChangedNotification,
    ToolListChangedNotification,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from busctl.adapters.upstream.dispatching import Dispatcher
from busctl.adapters.upstream.guard import Guard
from busctl.adapters.upstream.http import reached
from busctl.adapters.upstream.line import Line
from busctl.adapters.upstream.stdio import piped
from busctl.core.errors import BusctlError, UpstreamFailed
from busctl.core.mcp.upstream import Command, Upstream
from busctl.core.redaction import Redactor
from busctl.ports import Offering, UpstreamLine

log = logging.getLogger("busctl.upstream")

Changed = Callable[[Offering], None]
JSON_GROWTH = 4
"""How many bytes of JSON a byte of an answer may take: escapes, and texts that are there twice."""
PING_SECS = 30.0
END_SECS = 1.0
"""How long a program that has closed its output at its start may take to end."""
KEY_CHARS = 16
"""A part of an address as long as that is taken for a key."""
_SECRET = re.compile(r"(?i)key|token|secret|pass|auth|cred|cookie")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "notice": logging.INFO}
_CHANGES: dict[type[Any], Offering] = {
    ToolListChangedNotification: Offering.TOOLS,
    ResourceListChangedNotification: Offering.RESOURCES,
    PromptListChangedNotification: Offering.PROMPTS,
    ToolsListChanged: Offering.TOOLS,
    ResourcesListChanged: Offering.RESOURCES,
    PromptsListChanged: Offering.PROMPTS,
}


class McpConnector:
    """Connects to servers of one daemon, which is of that version. Answers of up to
    `max_payload_bytes` are taken."""

    def __init__(self, max_payload_bytes: int, *, version: str = "0") -> None:
        self._version = version
        self._most = JSON_GROWTH * max_payload_bytes + (1 << 20)
        self._guard = Guard()
        self._takes_no_question: set[str] = set()

    async def close(self) -> None:
        """When no server is connected any more."""
        await self._guard.stop()

    def fits(self, template: str, uri: str) -> bool:
        try:
            return UriTemplate.parse(template).match(uri) is not None
        except ValueError:  # a server's own idea of a template
            return False

    def connect(
        self, upstream: Upstream, changed: Changed, *, start_secs: float
    ) -> AbstractAsyncContextManager[UpstreamLine]:
        return self._connect(upstream, changed, start_secs)

    @asynccontextmanager
    async def _connect(
        self, upstream: Upstream, changed: Changed, start_secs: float
    ) -> AsyncIterator[UpstreamLine]:
        clean = Redactor(_secrets(upstream)).clean
        try:
            async with AsyncExitStack() as stack:
                try:
                    # Not anyio's: what is entered here outlives it.
                    async with asyncio.timeout(start_secs):
                        line = await self._reached(stack, upstream, changed, clean)
                except TimeoutError as error:
                    raise _late(upstream.name, start_secs) from error
                yield line
        except (Exception, BaseExceptionGroup) as error:
            raise _named(upstream.name, error, clean) from error

    async def _reached(
        self, stack: AsyncExitStack, upstream: Upstream, changed: Changed,
        clean: Callable[[str], str],
    ) -> Line:  # fmt: skip
        """The greeted server. Programs of the era before that end when they are asked which era
        they are of are started once more, and not asked again."""
        asked = upstream.name not in self._takes_no_question
        try:
            return await self._greeted(stack, upstream, changed, clean, asked=asked)
        except MCPError as error:
            ended = error.code == CONNECTION_CLOSED and isinstance(upstream.via, Command)
            self._takes_no_question.discard(upstream.name)
            if not (ended and asked):
                raise
        await stack.aclose()
        line = await self._greeted(stack, upstream, changed, clean, asked=False)
        self._takes_no_question.add(upstream.name)
        return line

    async def _greeted(
        self, stack: AsyncExitStack, upstream: Upstream, changed: Changed,
        clean: Callable[[str], str], *, asked: bool,
    ) -> Line:  # fmt: skip
        name = upstream.name
        pid: int | None = None
        if isinstance(upstream.via, Command):
            pipes = await stack.enter_async_context(
                piped(name, upstream.via, self._guard, clean, self._most)
            )
            dispatcher = Dispatcher(pipes.inbound, pipes.outbound)
            pid, why = pipes.process.pid, pipes.ended
        else:
            streams = await stack.enter_async_context(reached(upstream.via, self._most))
            dispatcher, why = Dispatcher(*streams), _connection_ended
        session = ClientSession(
            dispatcher=dispatcher,
            client_info=Implementation(name="busctl", version=self._version),
            message_handler=_hearing(changed),
            logging_callback=_logging(name, clean),
        )
        await stack.enter_async_context(session)
        try:
            await (negotiate_auto(session) if asked else session.initialize())
        except MCPError as error:
            if error.code == CONNECTION_CLOSED and pid is not None:
                error.add_note(await _within(END_SECS, why()))
            raise
        doubted = asyncio.Event()
        tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        if session.protocol_version in MODERN_PROTOCOL_VERSIONS:
            tasks.start_soon(_listen, name, session, changed, clean)
        elif pid is None:
            tasks.start_soon(_keep_asking, session, doubted)
        return Line(name, session, dispatcher, pid, why, doubted, clean)


async def _within(seconds: float, told: Awaitable[str]) -> str:
    try:
        async with asyncio.timeout(seconds):
            return await told
    except TimeoutError:
        return "it closed its standard output"


async def _connection_ended() -> str:
    return "its connection ended"


def _secrets(upstream: Upstream) -> list[str]:
    """What must not stand in a log or an error."""
    via = upstream.via
    if isinstance(via, Command):
        return [value for name, value in via.env.items() if _SECRET.search(name)]
    bare = [value.rpartition(" ")[2] for value in via.headers.values()]
    return [*via.headers.values(), *bare, *_secrets_in(via.url)]


def _secrets_in(url: str) -> Iterator[str]:
    """What may be one in an address: hosted servers have keys as a part of the path, too."""
    parts = urlsplit(url)
    yield parts.query
    yield parts.password or ""
    yield from (each for each in parts.path.split("/") if len(each) >= KEY_CHARS)
    for name, value in parse_qsl(parts.query):
        if len(value) >= KEY_CHARS or _SECRET.search(name):
            yield value


# --- what a server says by itself ----------------------------------------------------------


def _hearing(changed: Changed) -> MessageHandlerFnT:
    async def heard(message: IncomingMessage) -> None:
        offering = _CHANGES.get(type(message))
        if offering is not None:
            changed(offering)

    return heard


def _logging(name: str, clean: Callable[[str], str]) -> LoggingFnT:
    async def said(params: LoggingMessageNotificationParams) -> None:
        level = _LEVELS.get(params.level, logging.WARNING)
        text = clean(str(params.data)[:2000])
        log.log(level, "upstream says", extra={"upstream": name, "line": text})

    return said


async def _listen(
    name: str, session: ClientSession, changed: Changed, clean: Callable[[str], str]
) -> None:
    """Hear of changed lists in the stateless era, where they come on a stream that is asked for."""

    async def heard(event: ServerEvent) -> None:
        offering = _CHANGES.get(type(event))
        if offering is not None:
            changed(offering)

    try:
        async with listen(
            session, tools_list_changed=True, prompts_list_changed=True,
            resources_list_changed=True, on_event=heard,
        ) as events:  # fmt: skip
            async for _ in events:
                pass
    except (MCPError, SubscriptionLost) as error:
        why = clean(str(error))
        log.info("upstream tells of no changed lists", extra={"upstream": name, "why": why})


async def _keep_asking(session: ClientSession, doubted: asyncio.Event) -> None:
    """A server behind HTTP may go without a word, or know our session no more: asked now and then,
    and when there is doubt, the session ends with it."""
    while True:
        with anyio.move_on_after(PING_SECS):
            await doubted.wait()
        doubted.clear()
        await session.send_ping()


# --- what goes wrong -----------------------------------------------------------------------


def _late(name: str, seconds: float) -> UpstreamFailed:
    return UpstreamFailed(
        f"The upstream {name!r} did not greet within {seconds:g} s.",
        remedy="Raise BUSCTL_MCP_START_TIMEOUT_SECS, or that server's start_timeout_secs.",
    )


def _named(name: str, error: BaseException, clean: Callable[[str], str]) -> BaseException:
    """The error by our name; what is not about the server stays as it is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BusctlError | TimeoutError):  # an OSError, but the caller's own here
        return error
    if isinstance(error, MCPError | httpx2.HTTPError | OSError | RuntimeError | ValueError):
        notes = getattr(error, "__notes__", ())
        words = "; ".join(clean(each) for each in (str(error) or type(error).__name__, *notes))
        return UpstreamFailed(f"The upstream {name!r} cannot be reached: {words}.")
    return error
