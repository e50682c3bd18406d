"""Trace context as the W3C wants it (https://www.w3.org/TR/trace-context/, level 1): the text
`00-<trace id>-<parent id>-<flags>` that joins what happens in several programs to one trace.

It travels as the field `traceparent` of `call_tool` and `fetch`, as the HTTP header, in `_meta` of
the Model Context Protocol, and in the metadata of the message that a call ends in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FIELD = "traceparent"
"""Its name everywhere: header, frame, `_meta`, metadata."""
SAMPLED = 0x01
_VERSION, _INVALID_VERSION = "00", "ff"
_SHAPE = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TraceParent:
    """Ids in lowercase hexadecimal, 32 and 16 digits, neither all zeros; `flags` from 0 to 255."""

    trace_id: str
    parent_id: str
    flags: int

    @property
    def is_sampled(self) -> bool:
        """Whether the caller may have recorded it."""
        return bool(self.flags & SAMPLED)

    def __str__(self) -> str:
        return f"{_VERSION}-{self.trace_id}-{self.parent_id}-{self.flags:02x}"


def parse_traceparent(text: str) -> TraceParent | None:
    """What a traceparent says; None for one that is to be ignored, as the recommendation has it.

    A version after 00 may say more behind a dash, and is read as far as 00 goes.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    version, trace_id, parent_id, flags, more = match.groups()
    if version == _INVALID_VERSION or (version == _VERSION and more is not None):
        return None
    if not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    # Of a later version only the flag that this one knows is understood.
    known = int(flags, 16) if version == _VERSION else int(flags, 16) & SAMPLED
    return TraceParent(trace_id, parent_id, known)


def traceparent_in(fields: Mapping[str, Any]) -> str | None:
    """The traceparent among a request's headers, a frame's fields or MCP's `_meta`, as it is to be
    passed on; None without a valid one."""
    text = fields.get(FIELD)
    found = parse_traceparent(text) if isinstance(text, str) else None
    return None if found is None else str(found)


def with_traceparent(fields: Mapping[str, Any], traceparent: str | None) -> dict[str, Any]:
    """`fields` with this traceparent in place of theirs; as they are when there is none."""
    return dict(fields) if traceparent is None else {**fields, FIELD: traceparent}
