"""Lines of JSON-RPC as they come from an MCP server: the result of a response cut out as it came.

The envelope around a result is known by its two usual forms, so that the result's bytes need not be
made anew; a line of another form is parsed whole.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

_ID = rb'(?P<id>-?\d{1,18}|"(?:[^"\\]|\\.){0,256}")'
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"'
_RESULT_LAST = re.compile(
    rb"\s*\{\s*" + _VERSION + rb'\s*,\s*"id"\s*:\s*' + _ID + rb'\s*,\s*"result"\s*:'
)
_RESULT_FIRST = re.compile(rb'\s*\{\s*"result"\s*:')
_AFTER = re.compile(
    rb'\s*,\s*(?:' + _VERSION + rb'\s*,\s*"id"\s*:\s*' + _ID
    + rb'|"id"\s*:\s*' + _ID.replace(b"<id>", b"<id2>") + rb'\s*,\s*' + _VERSION + rb')\s*\}\s*\Z'
)  # fmt: skip
_ENDS = re.compile(rb"\}\s*\Z")
_TAIL_BYTES = 512
_DECODER = json.JSONDecoder()


UNREAD_BYTES = 1 << 20
"""A longer line is not parsed where it comes, but by whom it is for."""


class Result(dict[str, Any]):
    """A result, and its JSON as it came; `received` is None where that could not be cut out. One
    that is `unread` is empty until it is loaded."""

    received: bytearray | None = None
    unread: bool = False

    def load(self) -> None:
        """Parse what was received. Raises ValueError for what is no JSON object."""
        if not self.unread:
            return
        self.unread = False
        found = _object_in(self.received or bytearray())
        if found is None:
            raise ValueError("the result is no JSON object")
        self.update(found)


@dataclass(frozen=True, slots=True)
class Response:
    """A response with a result to the request `id`."""

    id: int | str
    result: Result


def response_in(line: bytearray) -> Response | None:
    """The response that a line is, None for anything else: what has no result, what is no JSON.

    The line is used up: its own memory becomes `received`. The result of a long one is unread.
    """
    found = _RESULT_LAST.match(line)
    if found is not None:
        ends = _ENDS.search(line, max(found.end(), len(line) - _TAIL_BYTES))
        if ends is not None:
            return _cut(line, found.end(), ends.start(), found["id"])
        return None
    first = _RESULT_FIRST.match(line)
    if first is not None:
        after = _AFTER.search(line, max(first.end(), len(line) - _TAIL_BYTES))
        if after is not None:
            return _cut(line, first.end(), after.start(), after["id"] or after["id2"])
    return None


def batch_in(line: bytearray) -> list[bytearray]:
    """The messages of an array of them, each as it came; none for what is no array."""
    try:
        text = line.decode("utf-8")
        found: list[bytearray] = []
        at = _blank_to(text, 1)
        while text[at] != "]" or not found:
            _, end = _DECODER.raw_decode(text, at)
            found.append(bytearray(text[at:end].encode("utf-8")))
            at = _blank_to(text, end)
            if text[at] not in ",]":
                return []
            at = _blank_to(text, at + (text[at] == ","))
    except (ValueError, IndexError, RecursionError):
        return []  # it may be a single message, or no JSON at all: whoever reads it next finds out
    return found


def _blank_to(text: str, at: int) -> int:
    """Behind the blanks that stand there."""
    while text[at] in " \t\r\n":
        at += 1
    return at


def asked_id(line: bytearray) -> int | str | None:
    """The id of the request that a line means to answer, though it is no response that the
    protocol has; None for what answers nothing."""
    found = _object_in(line)
    return None if found is None or "method" in found else _id_of(found)


def refused_id(line: bytes) -> int | str | None:
    """The id that an object which is no message gives itself: whoever sent it waits for that."""
    found = _object_in(bytearray(line))
    return None if found is None else _id_of(found)


def _id_of(found: dict[str, Any]) -> int | str | None:
    asked = found.get("id")
    return asked if isinstance(asked, int | str) and not isinstance(asked, bool) else None


def id_in(piece: bytes) -> int | str | None:
    """The id of the response whose beginning or end this is: for a line that is too long to be
    kept."""
    found = _RESULT_LAST.match(piece) or _AFTER.search(piece)
    if found is None:
        return None
    return _id(found["id"] or found.groupdict().get("id2") or b"")


def _cut(line: bytearray, start: int, end: int, id: bytes) -> Response | None:
    before, after = bytes(line[:start]), bytes(line[end:])
    del line[end:]
    del line[:start]  # moves nothing: a bytearray begins where it is told
    if len(line) > UNREAD_BYTES:
        made = Result()
        made.received, made.unread = line, True
        return Response(_id(id), made)
    result = _object_in(line)
    if result is not None:
        made = Result(result)
        made.received = line
        return Response(_id(id), made)
    line[:0] = before
    line += after
    return None


def _object_in(text: bytearray) -> dict[str, Any] | None:
    """The JSON object, None for anything else."""
    try:
        value = from_json(text)
    except ValueError:
        # It refuses lone surrogates, which JSON may hold.
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _id(text: bytes) -> int | str:
    value = json.loads(text)
    return value if isinstance(value, int) else str(value)
