"""Signs that a payload was cut before it reached us: JSON that ends early, text that ends inside a
character, and the markers of tools that cut.

One pass over the pieces, in bounded memory, without building a tree. A finding is a suspicion: the
payload is stored and delivered as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any
from uuid import UUID

from busctl.core.operating.finding import Finding
from busctl.core.watching.truncation_markers import MARKERS, Marker

SMALL_BYTES = 64 * 1024
"""Up to here JSON is read by the parser, which knows best; above, its brackets are counted."""
GATE_BYTES = 4096
"""How much of a larger text must read as JSON for its brackets to be counted."""
TRUNCATION = "truncation_suspected"
"""The event of a suspicion."""
PROVIDER_KINDS = {"length": "truncated_by_provider", "content_filter": "filtered_by_provider"}
"""Kinds of suspicion by what an answer's metadata says under INCOMPLETE: there it is known."""
KINDS = (
    "json_ends_early", "truncated_by_marker", "text_ends_inside_character",
    "size_differs_from_declared", *PROVIDER_KINDS.values(),
)  # fmt: skip
EDGE_BYTES = 700
"""Where a marker is looked for: so much of either end."""
ESCAPE_CHARS = len(r"\u0000")
STEP_BYTES = 256 * 1024
"""Counted at a time. Measured: 300 to 650 MB/s on tool JSON, half of that in steps of 1 MiB."""

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_IRRELEVANT = bytes(set(range(256)) - set(b'"{}[],:'))
_TEXTUAL = re.compile(r"text/|application/(?:json|[^;]*\+json|x-ndjson|jsonl|xml|[^;]*\+xml|yaml)")
_JSON = re.compile(r"application/(?:json|[^;]*\+json|x-ndjson|jsonl)|text/json")
_UTF8 = re.compile(r'charset\s*=\s*"?utf-?8')
_CUT_VALUE = re.compile(r"-?|\.|\d*[.eE][+-]?|t|tr|tru|f|fa|fal|fals|n|nu|nul")
_CLOSERS = r'(?:\\[nrt]|"(?:isError|is_error)"\s*:\s*(?:true|false)|[\s"\'`}\]),;])*\Z'
_WRAPPER = (
    r"(?:[\s{}\[\]\",:\\`]|content|type|text|output|result|stdout|success|true|false|error"
    r"|message)*"
)
"""What JSON puts in front of a text."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """`kind` is one of KINDS; `detail` is small JSON and holds nothing of the payload."""

    kind: str
    detail: dict[str, Any]


def suspicion_finding(transaction_id: UUID, one: Suspicion) -> Finding:
    """As a finding of `fsck`."""
    told = ", ".join(f"{name} {value}" for name, value in one.detail.items())
    return Finding(
        one.kind, str(transaction_id), f"it may have been cut before it was stored: {told}",
        "Ask the tool for less at a time, or for all of it; raise its own limit.",
    )  # fmt: skip


class _Json(Enum):
    WHOLE = "whole"
    EARLY = "early"
    OTHER = "other"
    """No JSON: what is not JSON cannot end early."""


class TruncationScan:
    """Looks at a payload piece by piece. `json_limit` (bytes): of larger JSON only the last
    character is looked at, None counts to the end whatever its size."""

    def __init__(self, content_type: str, *, json_limit: int | None = None) -> None:
        kind = content_type.strip().lower()
        self.looks = _TEXTUAL.match(kind) is not None
        self._declared = _JSON.match(kind) is not None
        self._utf8 = self._declared or _UTF8.search(kind) is not None
        self._limit = json_limit
        self._head = bytearray()
        self._tail = b""
        self._size = 0
        self._brackets: Brackets | None = None
        self._gated = False

    def add(self, piece: bytes | bytearray | memoryview) -> None:
        if not self.looks or not len(piece):
            return
        view = memoryview(piece)
        self._size += len(view)
        self._tail = (self._tail + bytes(view[-EDGE_BYTES:]))[-EDGE_BYTES:]
        if not self._gated:
            room = SMALL_BYTES + 1 - len(self._head)
            self._head += view[:room]
            view = view[room:]
            if self._size > SMALL_BYTES:
                self._gate()
        if self._brackets is not None:
            self._count(view)

    def suspicions(self) -> list[Suspicion]:
        """What was found, once everything has been added."""
        if not self.looks or not self._size:
            return []
        found = [*self._json(), *self._character(), *self._marker()]
        self._head.clear()
        return found

    def _gate(self) -> None:
        """Larger than the parser is asked for: is it JSON at all, as far as the eye reaches?"""
        self._gated = True
        if self._begins() and _judge(self._head[:GATE_BYTES]) is not _Json.OTHER:
            self._brackets = Brackets()
            self._count(memoryview(bytes(self._head)))

    def _count(self, view: memoryview) -> None:
        if self._brackets is not None and (self._limit is None or self._size <= self._limit):
            for start in range(0, len(view), STEP_BYTES):
                self._brackets.add(bytes(view[start : start + STEP_BYTES]))

    def _begins(self) -> bool:
        """Whether it may be JSON: declared so, or a text that begins with an object or array."""
        start = bytes(self._head[:64]).removeprefix(_BOM).lstrip(_SPACE)
        return bool(start) and (self._declared or start[:1] in (b"{", b"["))

    def _json(self) -> Iterator[Suspicion]:
        inside: str | None = None
        if not self._gated:
            told = len(bytes(self._head).strip(_SPACE)) > 1 or self._declared
            if told and self._begins() and _judge(self._head) is _Json.EARLY:
                brackets = Brackets()
                brackets.add(bytes(self._head))
                inside = "string" if brackets.in_string else "structure"
        elif self._brackets is not None:
            inside = self._inside(self._brackets)
        if inside is not None:
            yield Suspicion("json_ends_early", {"inside": inside, "size": self._size})

    def _inside(self, brackets: Brackets) -> str | None:
        if self._limit is not None and self._size > self._limit:
            last = self._tail.rstrip(_SPACE)[-1:]
            opened = bytes(self._head[:64]).removeprefix(_BOM).lstrip(_SPACE)[:1]
            return "structure" if opened in (b"{", b"[") and last not in (b"}", b"]") else None
        if brackets.in_string:
            return "string"
        return "structure" if brackets.open else None

    def _character(self) -> Iterator[Suspicion]:
        """The last bytes are the beginning of a character in UTF-8 whose rest is not there."""
        if not self._utf8:
            return
        for back in range(1, min(3, len(self._tail)) + 1):
            byte = self._tail[-back]
            if byte & 0xC0 == 0x80:
                continue
            wanted = 2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4
            if byte >= 0xC2 and byte <= 0xF4 and wanted > back:
                yield Suspicion("text_ends_inside_character", {"size": self._size})
            return

    def _marker(self) -> Iterator[Suspicion]:
        tail = self._tail.decode("utf-8", "replace")
        found = _at_end(tail)
        place = "end"
        if found is None:
            head = bytes(self._head[:EDGE_BYTES]).decode("utf-8", "replace")
            found, place = _at_start(head), "start"
        if found is not None:
            yield Suspicion("truncated_by_marker", {"marker": found.name, "place": place})


def begins_as_json(head: bytes, *, declared: bool) -> bool:
    """Whether a payload that begins so is JSON as far as the eye reaches (4 KiB): declared so, or a
    text that begins with an object or array, and read by the parser without a fault."""
    start = head[:64].removeprefix(_BOM).lstrip(_SPACE)
    likely = bool(start) and (declared or start[:1] in (b"{", b"["))
    return likely and _judge(head[:GATE_BYTES]) is not _Json.OTHER


class Brackets:
    """Whether JSON is inside a string, an object or an array at its end: strings are taken out,
    what opens and closes is counted."""

    def __init__(self) -> None:
        self.in_string = False
        self._braces = self._square = 0
        self._held = b""

    @property
    def open(self) -> bool:
        """Something was opened and not closed; False where more was closed than opened, which is
        no JSON."""
        return min(self._braces, self._square) >= 0 and self._braces + self._square > 0

    def add(self, piece: bytes) -> None:
        if self._held:
            piece, self._held = self._held + piece, b""
        if b"\\" in piece:
            # A backslash at the end goes with the next byte.
            if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
                piece, self._held = piece[:-1], b"\\"
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        marks = piece.translate(None, _IRRELEVANT)
        if self.in_string:
            end = marks.find(b'"')
            if end < 0:
                return
            marks = marks[end + 1 :]
        # Commas and colons keep the end of one string from the beginning of the next: so what is
        # adjacent is one string without brackets, and most of them go at once.
        parts = marks.replace(b'""', b"").split(b'"')
        self.in_string = len(parts) % 2 == 0
        outside = b"".join(parts[::2])
        self._braces += outside.count(b"{") - outside.count(b"}")
        self._square += outside.count(b"[") - outside.count(b"]")


def _judge(raw: bytes | bytearray) -> _Json:
    """Whether a text is JSON (one value or several), the beginning of it, or something else."""
    text = _decoded(bytes(raw).removeprefix(_BOM))
    if text is None:
        return _Json.OTHER
    decoder = json.JSONDecoder(strict=False)
    at, end = 0, len(text.rstrip())
    while True:
        while at < end and text[at] in " \t\r\n":
            at += 1
        if at >= end:
            return _Json.WHOLE
        try:
            _, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            return _Json.EARLY if _ends(text, error) else _Json.OTHER
        except RecursionError:
            # Deeper than the parser goes: its brackets tell.
            return _deep(bytes(raw))


def _ends(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the parser found nothing wrong but the end."""
    if error.msg.startswith("Unterminated string"):
        return True
    rest = text[error.pos :].strip()
    if "escape" in error.msg:
        return len(rest) < ESCAPE_CHARS and '"' not in rest
    return _CUT_VALUE.fullmatch(rest) is not None


def _deep(raw: bytes) -> _Json:
    brackets = Brackets()
    brackets.add(raw)
    return _Json.EARLY if brackets.in_string or brackets.open else _Json.WHOLE


def _decoded(raw: bytes) -> str | None:
    """As text, a character cut at the end left out; None when it is no UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        if error.end < len(raw) and len(raw) - error.start > 3:
            return None
        return raw[: error.start].decode()


# --- markers -----------------------------------------------------------------------------------


@cache
def _ending() -> tuple[tuple[Marker, re.Pattern[str]], ...]:
    """Compiled when the first text needs it."""
    return tuple((one, re.compile(f"(?:{one.pattern}){_CLOSERS}", re.I)) for one in MARKERS)


@cache
def _starting() -> tuple[tuple[Marker, re.Pattern[str]], ...]:
    return tuple((one, re.compile(f"{_WRAPPER}(?:{one.pattern})", re.I)) for one in MARKERS)


@cache
def _words() -> tuple[str, ...]:
    return tuple({word for one in MARKERS for word in one.words})


def _at_end(tail: str) -> Marker | None:
    lower = tail.lower()
    if not any(word in lower for word in _words()):
        return None
    for marker, pattern in _ending():
        if any(word in lower for word in marker.words):
            match = pattern.search(tail, max(0, len(tail) - marker.reach))
            if match is not None and not _quoted(tail, match):
                return marker
    return None


def _at_start(head: str) -> Marker | None:
    lower = head.lower()
    if not any(word in lower for word in _words()):
        return None
    for marker, pattern in _starting():
        if any(word in lower for word in marker.words) and pattern.match(head):
            return marker
    return None


def _quoted(text: str, match: re.Match[str]) -> bool:
    """A marker that somebody quotes is spoken of, not left behind."""
    before = text[: match.start()][-1:]
    return before in ("`", "'", "\N{LEFT DOUBLE QUOTATION MARK}") or (
        before == '"' and not text[: match.start()].rstrip('"').rstrip().endswith((":", "[", ","))
    )
