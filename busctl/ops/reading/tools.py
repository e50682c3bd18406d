"""Reading on as tools: bus_read, bus_search and bus_info, offered beside every other tool.

What they answer is small by construction, and is kept nowhere: it is a part of a message that is
kept. That message has the event instead (`delivered` for a part of it, `searched`).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from busctl.core.content_type import JSON, MCP_RESULT, TEXT
from busctl.core.errors import InvalidArguments, ToolNotFound
from busctl.core.ids import parse_id
from busctl.core.principal import Principal, Scope
from busctl.core.reading.json_paths import Bounds
from busctl.core.reading.told import (
    part_text,
    search_json,
    search_text,
    values_json,
    values_text,
)
from busctl.ops.bus import Bus
from busctl.ops.reading.info import info
from busctl.ops.reading.parts import read_lines, read_range
from busctl.ops.reading.searching import Wanted, query, search
from busctl.ops.reading.source import Place
from busctl.ops.tool_arguments import Arguments
from busctl.ports import Answer, Call, ToolInfo
from busctl.ports.searching import JsonPaths, Patterns

PROVIDER = "bus"
READ, SEARCH, INFO = "bus_read", "bus_search", "bus_info"
JSON_MEMORY_BYTES = 2_000_000_000
VALUE_BYTES = 1_000
_READ_ONLY = {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False}

Block = Annotated[int | None, Field(ge=0)]
Form = Literal["text", "json"]


class ReadingTools:
    """The ToolHost of the bus's own tools. Raises the named errors of the bus: only what the
    caller may read is read."""

    def __init__(self, bus: Bus, patterns: Patterns, paths: JsonPaths) -> None:
        self._bus = bus
        self._patterns = patterns
        self._paths = paths
        self._tools = {
            INFO: _Tool(self._info, "What a stored answer looks like"),
            READ: _Tool(self._read, "Read on in a stored answer"),
            SEARCH: _Tool(self._search, "Search a stored answer"),
        }
        self._listed: list[ToolInfo] = []

    def list_tools(self) -> Sequence[ToolInfo]:
        """The three."""
        if not self._listed:  # their schemas take a while to make
            self._listed = [tool.listed(name) for name, tool in self._tools.items()]
        return self._listed

    async def call(self, call: Call) -> Answer:
        """Read or search for the caller. Raises ToolNotFound, InvalidArguments, AccessDenied, the
        outcomes of redeeming, InvalidPattern, NotJson and SearchTimedOut."""
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolNotFound(f"No tool of the bus is named {call.name!r}.")
        given = tool.arguments(call.name).check(call.arguments)
        reader = _Reader(self._bus, call.principal)
        return await tool.function(reader, **given)

    async def _read(
        self, reader: _Reader, id: str,
        offset: Annotated[int | None, Field(ge=0)] = None,
        length: Annotated[int | None, Field(ge=1)] = None,
        first_line: Annotated[int | None, Field(ge=1)] = None,
        lines: Annotated[int | None, Field(ge=1)] = None,
        block: Block = None, format: Form = "text",
    ) -> Answer:  # fmt: skip
        """Read a part of a stored answer: exact text (base64 for what is no text) of a byte range
        or of lines. It says where the part begins and ends, and the offset to go on with.

        Args:
            id: The id of a stored answer, or its bus:// link.
            offset: First byte, from 0.
            length: Bytes at most.
            first_line: First line, from 1, in place of offset.
            lines: Lines at most.
            block: One content block of an answer that has several, from 0; offsets are its own.
            format: text to be read, or json to be parsed.
        """
        if offset is not None and first_line is not None:
            raise InvalidArguments("Give offset or first_line, not both.")
        place = await reader.place(id, block)
        room = min(length or reader.room, reader.room)
        if first_line is None and lines is None:
            part = await read_range(self._bus, place, offset=offset or 0, length=room)
        else:
            part = await read_lines(
                self._bus, place, first=first_line or 1, count=lines, offset=offset, room=room
            )
        if format == "json":
            return _json(part.as_json())
        told, text = part_text(part)
        return _result(told, text)

    async def _search(
        self, reader: _Reader, id: str, pattern: str,
        kind: Literal["regex", "literal", "jsonpath"] = "regex",
        context: Annotated[int, Field(ge=0, le=10)] = 0,
        max_matches: Annotated[int, Field(ge=1, le=500)] = 50,
        ignore_case: bool = False,
        offset: Annotated[int, Field(ge=0)] = 0,
        block: Block = None, format: Form = "text",
    ) -> Answer:  # fmt: skip
        """Search all of a stored answer. Each match comes with its line number and byte offset,
        which bus_read takes; with jsonpath, the selected values with their paths.

        Args:
            id: The id of a stored answer, or its bus:// link.
            pattern: What to look for, within lines.
            kind: regex is RE2's, ^ and $ are the ends of lines; jsonpath is that of RFC 9535.
            context: Lines shown around a match.
            max_matches: Matches or values at most.
            ignore_case: For regex and literal.
            offset: Begin at this byte, to go on where a search ended.
            block: One content block of an answer that has several, from 0; offsets are its own.
            format: text to be read, or json to be parsed.
        """
        place = await reader.place(id, block)
        seconds = self._bus.settings.search_timeout_secs
        if kind == "jsonpath":
            bounds = Bounds(
                max_matches, min(VALUE_BYTES, reader.room), reader.room, seconds, JSON_MEMORY_BYTES
            )
            values, _ = await query(self._bus, place, self._paths, pattern, bounds)
            if format == "json":
                return _json(values_json(place.transaction_id, values))
            return _text(values_text(place.transaction_id, values))
        finder = self._patterns.compile(pattern, ignore_case=ignore_case, literal=kind == "literal")
        wanted = Wanted(max_matches, context, reader.room, seconds, offset)
        found, _ = await search(self._bus, place, finder, wanted, self._bus.recent)
        if format == "json":
            return _json(search_json(place.transaction_id, found))
        return _text(search_text(place.transaction_id, found))

    async def _info(self, reader: _Reader, id: str, format: Form = "text") -> Answer:
        """What a stored answer is: size, type, expiry, SHA-256, its blocks, the shape of its JSON,
        its first and last lines, and what is known of its way here.

        Args:
            id: The id of a stored answer, or its bus:// link.
            format: text to be read, or json to be parsed.
        """
        place = await reader.place(id, None)
        known = await info(
            self._bus, place.transaction_id, principal=place.principal, room=reader.room // 2
        )
        return _json(known.as_json()) if format == "json" else _text(known.as_text())


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who reads."""

    bus: Bus
    principal: Principal

    @property
    def room(self) -> int:
        """Bytes of an answer at most."""
        return self.bus.settings.read_max_bytes

    async def place(self, id: str, block: int | None) -> Place:
        wanted = parse_id(id.removeprefix("bus://"))
        await self.bus.require(self.principal, Scope.READ, wanted)
        return Place(wanted, self.principal.reads_as, block)


class _Tool:
    """One of them: its arguments are those of its function but for the reader."""

    def __init__(self, function: Callable[..., Awaitable[Answer]], title: str) -> None:
        self.function = function
        self._title = title
        self._arguments: Arguments | None = None

    def arguments(self, name: str) -> Arguments:
        if self._arguments is None:
            self._arguments = Arguments(name, self.function, "the bus", without=("reader",))
        return self._arguments

    def listed(self, name: str) -> ToolInfo:
        told = (self.function.__doc__ or "").partition("Args:")[0]
        extra = {"title": self._title, "annotations": {"title": self._title, **_READ_ONLY}}
        return ToolInfo(
            name,
            " ".join(told.split()),
            self.arguments(name).schema,
            PROVIDER,
            extra=extra,
            kept=False,
        )


def _text(text: str) -> Answer:
    return Answer(text.encode("utf-8", "backslashreplace"), None, TEXT)


def _json(value: dict[str, Any]) -> Answer:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Answer(text.encode("utf-8", "backslashreplace"), None, JSON)


def _result(*texts: str) -> Answer:
    """Several texts: what is said of a part does not become one of its bytes."""
    result = {"content": [{"type": "text", "text": text} for text in texts]}
    raw = json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(raw, None, MCP_RESULT)
