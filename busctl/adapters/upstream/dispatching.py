"""The SDK's dispatcher, from which whole results can be taken as they came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.transport_context import TransportContext
from mcp_types import PARSE_ERROR

from busctl.core.mcp.jsonrpc import Result
from busctl.core.traceparent import traceparent_in, with_traceparent

_STUB = {"content": [], "resultType": "complete"}
"""What the session gets to see of a result that was taken: an empty one is valid in every
revision."""


class Taken:
    """A result that the session does not see. `result` is set once the request was answered."""

    def __init__(self) -> None:
        self.result = Result()


_wanted: ContextVar[Taken | None] = ContextVar("busctl_taken", default=None)


@contextmanager
def taking() -> Iterator[Taken]:
    """Take the result of the request that the block makes, past the session's validation: it would
    refuse what later revisions add, and hold on to what is large."""
    taken = Taken()
    token = _wanted.set(taken)
    try:
        yield taken
    finally:
        _wanted.reset(token)


Sift = Callable[[dict[str, Any]], None]
_sift: ContextVar[Sift | None] = ContextVar("busctl_sift", default=None)


@contextmanager
def sifting(sift: Sift) -> Iterator[None]:
    """Let `sift` take out of the result of a request of the block what the session would refuse the
    whole of it for."""
    token = _sift.set(sift)
    try:
        yield
    finally:
        _sift.reset(token)


class Dispatcher(JSONRPCDispatcher[TransportContext]):
    """Knows when its streams have ended."""

    def __init__(self, *streams: Any) -> None:
        super().__init__(*streams)
        self.ended = asyncio.Event()

    async def run(self, *args: Any, **options: Any) -> None:
        try:
            await super().run(*args, **options)
        finally:
            self.ended.set()

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None,
        **options: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """The traceparent of `_meta` is the header, too, where there are any: what stands between
        us and the server, and its own frameworks, look there."""
        traced = traceparent_in((params or {}).get("_meta") or {})
        if traced is not None:
            given = opts or CallOptions()
            headers = with_traceparent(given.get("headers") or {}, traced)
            opts = CallOptions({**given, "headers": headers})
        result = await super().send_raw_request(method, params, opts, **options)
        taken = _wanted.get()
        if taken is None:
            if isinstance(result, Result):
                _load(result)
            sift = _sift.get()
            if sift is not None:
                sift(result)
            return result
        taken.result = result if isinstance(result, Result) else Result(result)
        return dict(_STUB)


def _load(result: Result) -> None:
    try:
        result.load()
    except ValueError as error:
        raise MCPError(PARSE_ERROR, f"the answer cannot be read: {error}") from error
