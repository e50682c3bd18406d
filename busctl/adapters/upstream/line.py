"""A session with one upstream server: what it is asked, and what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    METHOD_NOT_FOUND,
    CallToolRequest,
    CallToolRequestParams,
    CompletionArgument,
    CompletionContext,
    PaginatedRequestParams,
    PromptReference,
    ResourceTemplateReference,
    Result,
)
from mcp_types.methods import validate_server_result
from pydantic import BaseModel, TypeAdapter, ValidationError

from busctl.adapters.upstream.dispatching import Dispatcher, sifting, taking
from busctl.core.errors import UpstreamFailed, UpstreamUnavailable
from busctl.core.mcp import jsonrpc
from busctl.core.mcp.large_text import large_text
from busctl.core.mcp.result import ResultPayload, one_text, payload_of
from busctl.ports import Heard

MOST_PAGES = 1000
"""A list that never ends must not be read for ever."""
CLOSED = "Connection closed"
"""The SDK's words for requests whose answer can not come any more."""
REFUSED = ("Session terminated", "Server returned an error response")
"""The SDK's words for a refusal by HTTP: the server may not know our session, started anew."""
RETRY_SECS = 1.0
THREAD_BYTES = 64 * 1024
REASON_SECS = 1.0
"""How long a program that has closed its output may take to say how it ended."""
_FIELDS = {
    "tools/list": "tools", "resources/list": "resources", "prompts/list": "prompts",
    "resources/templates/list": "resource_templates",
}  # fmt: skip
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


class Line:
    """One session. `name` is the server's, for errors; `why_ended` waits for the end of what
    carries it and says how it ended; `doubted` is set when the session may be good no more;
    `clean` takes secrets out of the server's words, which may quote what it was shown."""

    def __init__(
        self, name: str, session: ClientSession, dispatcher: Dispatcher, pid: int | None,
        why_ended: Callable[[], Awaitable[str]], doubted: asyncio.Event,
        clean: Callable[[str], str],
    ) -> None:  # fmt: skip
        self._name = name
        self._session = session
        self._dispatcher = dispatcher
        self._why_ended = why_ended
        self._doubted = doubted
        self._clean = clean
        self.pid = pid
        self._left_out: dict[str, list[str]] = {}

    @property
    def protocol(self) -> str:
        return self._session.protocol_version or ""

    @property
    def left_out(self) -> Sequence[str]:
        return [fault for faults in self._left_out.values() for fault in faults]

    async def ended(self) -> str:
        await self._dispatcher.ended.wait()
        try:
            async with asyncio.timeout(REASON_SECS):
                return await self._why_ended()
        except TimeoutError:
            return "it closed its end of the connection"

    # --- lists -----------------------------------------------------------------------------

    async def list_tools(self) -> Sequence[Mapping[str, Any]]:
        return await self._pages(self._session.list_tools, "tools/list", "tools")

    async def list_resources(self) -> Sequence[Mapping[str, Any]]:
        return await self._pages(self._session.list_resources, "resources/list", "resources")

    async def list_resource_templates(self) -> Sequence[Mapping[str, Any]]:
        ask = self._session.list_resource_templates
        return await self._pages(ask, "resources/templates/list", "resources")

    async def list_prompts(self) -> Sequence[Mapping[str, Any]]:
        return await self._pages(self._session.list_prompts, "prompts/list", "prompts")

    async def _pages(
        self, ask: Callable[..., Awaitable[Any]], method: str, capability: str
    ) -> Sequence[Mapping[str, Any]]:
        """Every page of a list; an empty one from a server that has no such list. What is not as
        the protocol has it is left out, alone."""
        if getattr(self._session.server_capabilities, capability, None) is None:
            return []
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        field = _FIELDS[method]
        faults = self._left_out[method] = []

        def sift(page: dict[str, Any]) -> None:
            faults.extend(map(self._clean, _sifted(page, method, self.protocol)))

        with self._named(f"list its {field.replace('_', ' ')}"), sifting(sift):
            for _ in range(MOST_PAGES):
                params = None if cursor is None else PaginatedRequestParams(cursor=cursor)
                try:
                    page = await ask(params=params)
                except MCPError as error:
                    if error.code == METHOD_NOT_FOUND:  # templates come with the capability only
                        return found
                    raise
                found += [_shape(each) for each in getattr(page, field)]
                cursor = page.next_cursor
                if not cursor:
                    return found
        raise UpstreamFailed(
            f"The upstream {self._name!r} gave {MOST_PAGES} pages of {field} and goes on."
        )

    # --- requests --------------------------------------------------------------------------

    async def call_tool(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], heard: Heard
    ) -> ResultPayload:
        async def progress(progress: float, total: float | None, message: str | None) -> None:
            heard(progress, total, message)

        params = CallToolRequestParams.model_validate(
            {"name": name, "arguments": dict(arguments), **({"_meta": dict(meta)} if meta else {})}
        )
        with self._named(f"answer a call of {name!r}"), taking() as taken:
            await self._session.send_request(
                CallToolRequest(params=params), _ANYTHING, progress_callback=progress
            )
        result = taken.result
        try:
            if len(result.received or b"") <= THREAD_BYTES:
                return _payload(result)
            return await asyncio.to_thread(_payload, result)
        except ValueError as error:
            raise UpstreamFailed(
                f"The upstream {self._name!r} answered a call of {name!r} with what cannot be "
                f"passed on: {self._clean(str(error))}."
            ) from error

    async def read_resource(self, uri: str) -> Mapping[str, Any]:
        with self._named(f"give the resource {uri}"):
            return _shape(await self._session.read_resource(uri))

    async def get_prompt(self, name: str, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        with self._named(f"give the prompt {name!r}"):
            return _shape(await self._session.get_prompt(name, dict(arguments) or None))

    async def complete(
        self, ref: Mapping[str, Any], argument: Mapping[str, str], context: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        kind = PromptReference if ref.get("type") == "ref/prompt" else ResourceTemplateReference
        with self._named("complete an argument"):
            arguments = CompletionContext.model_validate(context or {}).arguments
            found = await self._session.complete(
                kind.model_validate(ref),
                CompletionArgument.model_validate(argument).model_dump(),
                arguments,
            )
        return _shape(found)

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """The server's errors by our name. A session that is over is asked nothing."""
        if self._dispatcher.ended.is_set():
            raise UpstreamUnavailable(
                f"The upstream {self._name!r} has just ended.", retry_after=RETRY_SECS
            )
        said = f"The upstream {self._name!r} did not {what}"
        try:
            yield
        except MCPError as error:
            # Servers use the SDK's number for their own errors, too.
            if error.code == CONNECTION_CLOSED and error.error.message == CLOSED:
                raise UpstreamFailed(
                    f"{said}: it ended, or its connection did.",
                    remedy=UpstreamUnavailable.default_remedy,
                ) from error
            if error.error.message in REFUSED:
                self._doubted.set()
            words = self._clean(str(error))
            raise UpstreamFailed(f"{said}: {words}", rpc_code=error.code) from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(each) for each in first["loc"][:4])
            words = f"{error.error_count()} faults, the first: {place}: {first['msg']}"
            raise UpstreamFailed(f"{said} as the protocol has it ({words}).") from error
        except RuntimeError as error:  # the SDK's word for what a revision does not have
            raise UpstreamFailed(f"{said}: {self._clean(str(error))}") from error


def _payload(result: jsonrpc.Result) -> ResultPayload:
    """The payload; the result itself is emptied. The SDK's reading loop holds on to the last one
    it has seen, which may be large. Raises ValueError for what is no JSON object, or no answer."""
    if result.unread and result.received is not None:
        large = large_text(result.received)
        if large is not None:
            result.received, result.unread = None, False
            return large
    result.load()
    if result.get("resultType", "complete") != "complete":
        raise ValueError(f"{result['resultType']!r}, which asks the client for something")
    received, result.received = result.received, None
    found = one_text(result)
    if found is None:
        kept = payload_of(result, None if received is None else bytes(received).strip())
        result.clear()
        return kept
    del received
    result.clear()
    return found.payload()


def _sifted(page: dict[str, Any], method: str, protocol: str) -> Iterator[str]:
    """Take out of a page what would have it refused, and name that."""
    field = "resourceTemplates" if "templates" in method else _FIELDS[method]
    listed = page.get(field)
    if not isinstance(listed, list):
        return
    page[field] = []
    for each in listed:
        try:
            validate_server_result(method, protocol, {**page, field: [each]})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"] if part not in (field, 0))
            name = each.get("name") if isinstance(each, dict) else None
            words = f"{place}: {first['msg']}" if place else first["msg"]
            yield f"{field.removesuffix('s')} {str(name)[:64]!r} ({words})"
        else:
            page[field].append(each)


def _shape(model: Result | BaseModel) -> Mapping[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
