"""The gateway: what clients of the Model Context Protocol ask, answered by this daemon's calls and
its bus. An answer that is large stays on the bus; the client gets a preview and how to read on."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from busctl.core.content_type import is_text
from busctl.core.errors import (
    BusctlError,
    InvalidArguments,
    OverCapacity,
    PromptNotFound,
    ResourceNotFound,
    ToolNotFound,
)
from busctl.core.hops import SENT, Hop, measured
from busctl.core.ids import parse_id
from busctl.core.mcp import told as mcp_told
from busctl.core.mcp.result import result_of
from busctl.core.principal import Scope
from busctl.core.protocol import CallTool, call_digest
from busctl.core.reading.outline import Outliner, outline_of
from busctl.core.route import Route
from busctl.ops.serve import delivery
from busctl.ops.serve.answers import as_told
from busctl.ops.serve.calls import Running, Terms
from busctl.ops.serve.delivery import ResultFrame
from busctl.ops.serve.fallback import Kept
from busctl.ports import Offering, Upstreams
from busctl.ports.gateway import Caller, Heard, Shape

if TYPE_CHECKING:
    from busctl.ops.serve.daemon import Daemon

WAITING = 256
"""Calls that wait for a place, of all clients together; the next is OVER_CAPACITY at once."""
THREAD_BYTES = 64 * 1024
"""Larger payloads are read into a result in a thread."""

log = logging.getLogger("busctl.mcp")


class McpGateway:
    """The `Gateway` of one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._bus = daemon.bus
        self._settings = daemon.settings
        self._waiting = 0
        self._redemptions = asyncio.Semaphore(daemon.settings.max_redemptions)

    # --- tools -----------------------------------------------------------------------------

    async def tools(self) -> Sequence[Shape]:
        await self._daemon.settled()
        replaceable = self._settings.enabled
        return [
            mcp_told.tool_shape(
                tool.name, tool.description, tool.input_schema, tool.extra, replaceable=replaceable
            )
            for tool in self._daemon.tools.list_tools()
        ]

    async def call(
        self, caller: Caller, name: str, arguments: Shape, *, meta: Shape, heard: Heard | None
    ) -> Shape:
        await self._bus.require(caller.principal, Scope.CALL, tool=name)
        await self._daemon.settled(name)
        limit = self._inline_limit(name)
        unkept = None if self._settings.mcp_store_small else limit
        request = CallTool(None, name, arguments, _digest(name, arguments))
        try:
            running = await self._admitted(request, caller, Terms(meta, heard, unkept))
            kept = await self._answer(running)
            return await self._told(kept, limit, name, caller)
        except ToolNotFound:
            raise
        except BusctlError as error:
            return mcp_told.error_result(as_told(error))

    def _inline_limit(self, name: str) -> int:
        own = self._daemon.calls.tool(name).bounds.inline_max_bytes
        return self._settings.mcp_inline_max_bytes if own is None else own

    async def _admitted(self, request: CallTool, caller: Caller, terms: Terms) -> Running:
        """The call once it has a place: clients of this protocol do not come again by themselves.
        Raises OverCapacity after MESSAGE_BUS's call timeout, or when too many wait already."""
        calls, clock = self._daemon.calls, self._bus.clock
        request_id = clock.new_id().hex
        deadline = clock.monotonic() + self._settings.call_timeout_secs
        while True:
            try:
                return calls.admit(request, request_id, caller.session_id, caller.principal, terms)
            except OverCapacity:
                left = deadline - clock.monotonic()
                if self._waiting >= WAITING or left <= 0:
                    raise
                await self._wait_for_place(left)

    async def _wait_for_place(self, seconds: float) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._daemon.calls.freed()
        except TimeoutError:
            log.info("no place came free in time", extra={"waiting": self._waiting})
        finally:
            self._waiting -= 1

    async def _answer(self, running: Running) -> Kept:
        try:
            return await asyncio.shield(running.task)
        except asyncio.CancelledError:
            self._daemon.calls.cancel(running)
            raise

    async def _told(self, kept: Kept, limit: int, name: str, caller: Caller) -> Shape:
        claim = kept.claim
        if claim.payload_size_bytes <= limit or kept.nowhere:
            return await self._whole(kept)
        outline = await self._outline(kept)
        if kept.payload is not None:
            self._bus.recent.remember(claim, kept.payload)
        self._bus.passed(claim.transaction_id, SENT, Hop.WIRE, {"via": "claim"})
        result = mcp_told.replacement(claim, outline, tool=name, takes_links=caller.takes_links)
        return mcp_told.with_conversation(result, kept.conversation)

    async def _outline(self, kept: Kept) -> str:
        """What is shown of an answer in its place."""
        claim = kept.claim
        if kept.payload is not None:
            outline = await asyncio.to_thread(outline_of, kept.payload, claim.content_type)
            return outline.text
        outliner = Outliner(claim.content_type)
        async for piece in (await self._bus.peek(claim.transaction_id)).pieces:
            await asyncio.to_thread(outliner.add, piece)
        return outliner.finish().text

    async def _whole(self, kept: Kept) -> Shape:
        payload = kept.payload
        if payload is None:
            payload = await self._bus.get(kept.claim.transaction_id)
        if len(payload) <= THREAD_BYTES:
            result, seen = self._result(kept, payload)
        else:
            result, seen = await asyncio.to_thread(self._result, kept, payload)
        delivery.record(self._bus, kept, ResultFrame("", Route.INLINE, seen))
        return result

    def _result(self, kept: Kept, payload: bytes) -> tuple[Shape, Mapping[str, Any]]:
        claim = kept.claim
        result = result_of(
            payload, claim.content_type, uri=f"{mcp_told.SCHEME}{claim.transaction_id}",
            is_error=mcp_told.is_error(claim), metadata=kept.metadata,
        )  # fmt: skip
        if claim.incomplete:
            told = [*result.get("content", ()), mcp_told.incomplete_block(claim)]
            result = {**result, "content": told}
        result = mcp_told.with_conversation(result, kept.conversation)
        digest = sha256(payload).hexdigest() if self._settings.trace_hops else None
        return result, measured(len(payload), digest)

    # --- resources and prompts -------------------------------------------------------------

    async def resources(self) -> Sequence[Shape]:
        upstreams = await self._upstreams()
        return [] if upstreams is None else await upstreams.list_resources()

    async def templates(self) -> Sequence[Shape]:
        upstreams = await self._upstreams()
        more = [] if upstreams is None else await upstreams.list_resource_templates()
        return [mcp_told.TEMPLATE, *more]

    async def read(self, caller: Caller, uri: str) -> Shape:
        if uri.startswith(mcp_told.SCHEME):
            return await self._redeem(caller, uri)
        await self._bus.require(caller.principal, Scope.CALL)
        upstreams = await self._upstreams()
        if upstreams is None:
            raise ResourceNotFound(f"There is no resource {uri[:256]!r}.")
        return await upstreams.read_resource(uri)

    async def _redeem(self, caller: Caller, uri: str) -> Shape:
        """The identical bytes, to whom they belong; counted as a delivery."""
        transaction_id, principal = parse_id(uri), caller.principal
        await self._bus.require(principal, Scope.READ, transaction_id)
        async with self._redemptions:
            opened = await self._bus.open(transaction_id, principal=principal.reads_as)
            assembled = io.BytesIO()
            async for piece in opened.pieces:
                assembled.write(piece)
            content_type = opened.claim.content_type
            text, blob = await asyncio.to_thread(_text_or_blob, assembled, content_type)
        seen = measured(opened.claim.payload_size_bytes, opened.claim.checksum)
        self._bus.passed(transaction_id, SENT, Hop.WIRE, {"via": "mcp", **seen})
        return mcp_told.resource_contents(uri, content_type, text=text, blob=blob)

    async def prompts(self) -> Sequence[Shape]:
        upstreams = await self._upstreams()
        return [] if upstreams is None else await upstreams.list_prompts()

    async def prompt(self, caller: Caller, name: str, arguments: Mapping[str, str]) -> Shape:
        await self._bus.require(caller.principal, Scope.CALL)
        upstreams = await self._upstreams()
        if upstreams is None:
            raise PromptNotFound(f"There is no prompt {name[:128]!r}.")
        return await upstreams.get_prompt(name, arguments)

    async def complete(self, caller: Caller, ref: Shape, argument: Shape, context: Shape) -> Shape:
        await self._bus.require(caller.principal, Scope.CALL)
        upstreams = await self._upstreams()
        if upstreams is None or ref.get("uri") == mcp_told.TEMPLATE["uriTemplate"]:
            return mcp_told.NO_COMPLETION
        return await upstreams.complete(ref, argument, context)

    async def _upstreams(self) -> Upstreams | None:
        """The servers behind, each with what it offers, or given up for now."""
        upstreams = self._daemon.upstreams
        if upstreams is not None:
            await upstreams.settled()
        return upstreams

    def watch(self, changed: Callable[[Offering], None]) -> Callable[[], None]:
        upstreams = self._daemon.upstreams
        return _nothing if upstreams is None else upstreams.watch(changed)


def _nothing() -> None:
    """No list changes without upstream servers."""


def _digest(name: str, arguments: Shape) -> str:
    try:
        return call_digest(name, arguments)
    except RecursionError as error:
        raise InvalidArguments("arguments are nested too deeply.") from error


def _text_or_blob(assembled: io.BytesIO, content_type: str) -> tuple[str | None, str | None]:
    with assembled:  # what it held is let go at once
        payload = assembled.getvalue()
    if is_text(content_type):
        try:
            return payload.decode("utf-8"), None
        except UnicodeDecodeError:  # it is not what its type says: the bytes travel as they are
            log.debug("no UTF-8 in what is called text", extra={"content_type": content_type})
    return None, base64.b64encode(payload).decode("ascii")
