"""Python callables as tools: listed with a schema, called with checked arguments."""

from __future__ import annotations

import asyncio
import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from busctl.core.errors import ConfigurationError, ToolNotFound
from busctl.core.tools.toolset import Offer, Tool
from busctl.ops.answers import answer_of, failed, in_thread
from busctl.ops.tool_arguments import Arguments
from busctl.ports import Answer, Call, ToolInfo

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Offered:
    function: Tool
    arguments: Arguments
    info: ToolInfo
    origin: str


class PythonTools:
    """The ToolHost of Python callables: sync ones run in threads, async ones in the event loop.

    Raises ConfigurationError for a tool that cannot be offered, and for two of one name.
    """

    def __init__(self, offers: Iterable[Offer]) -> None:
        self._tools: dict[str, _Offered] = {}
        for offer in offers:
            for name, function in offer.tools().items():
                self._add(name, function, offer)
        self._listed = [self._tools[name].info for name in sorted(self._tools)]

    def list_tools(self) -> Sequence[ToolInfo]:
        """Every tool, in the order of their names."""
        return self._listed

    async def call(self, call: Call) -> Answer:
        """Run a tool and give its answer as bytes. `call.note` is called in the loop's thread.

        Cancelling stops an async tool; a sync one runs on in its thread, its answer unheard.
        Raises ToolNotFound, InvalidArguments and ToolFailed (from `Answer.pieces` too).
        """
        tool = self._tools.get(call.name)
        if tool is None:
            raise self._not_found(call.name)
        keywords = tool.arguments.check(call.arguments)
        if tool.arguments.progress:
            keywords[tool.arguments.progress] = _in_loop(call.note)
        return await _run(call.name, functools.partial(tool.function, **keywords), tool.function)

    def _add(self, name: str, function: Tool, offer: Offer) -> None:
        known = self._tools.get(name)
        if known and known.function is function:
            return  # the same function by two ways is no clash
        if known:
            raise ConfigurationError(
                f"Two tools are named {name!r}: one of {known.origin}, one of {offer.origin}.",
                remedy="Rename one of them, or leave one of the two out.",
            )
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} of {offer.origin} is no name for a tool.",
                remedy="Use 1 to 128 of the letters a-z, A-Z, digits, '_', '-' and '.'.",
            )
        arguments = Arguments(name, function, offer.origin)
        description = inspect.getdoc(function) or ""
        bounds = offer.bounds_of(name)
        info = ToolInfo(name, description, arguments.schema, offer.provider, bounds)
        self._tools[name] = _Offered(function, arguments, info, offer.origin)

    def _not_found(self, name: str) -> ToolNotFound:
        shown = name[:128].encode("utf-8", "backslashreplace").decode()
        near = difflib.get_close_matches(name[:128], self._tools, n=1)
        if near:
            return ToolNotFound(f"No tool is named {shown!r}.", remedy=f"Did you mean {near[0]!r}?")
        return ToolNotFound(f"No tool is named {shown!r}.")


async def _run(name: str, work: Callable[[], Any], function: Tool) -> Answer:
    called = inspect.unwrap(getattr(function, "func", function))
    target = called if inspect.isroutine(called) else type(called).__call__
    if inspect.iscoroutinefunction(target):
        return await answer_of(name, await _awaited(name, work()))
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        return await answer_of(name, work())  # nothing runs before the first piece is asked for
    result = await in_thread(name, work)
    if inspect.isawaitable(result):
        result = await _awaited(name, result)
    return await answer_of(name, result)


async def _awaited(name: str, work: Any) -> Any:
    try:
        return await work
    except (Exception, SystemExit) as error:
        raise failed(name, error) from error


def _in_loop(note: Callable[[str], None]) -> Callable[[object], None]:
    """`note` as tools get it: callable from any thread, with anything that prints."""
    loop = asyncio.get_running_loop()

    def noted(text: object) -> None:
        loop.call_soon_threadsafe(note, str(text))

    return noted
