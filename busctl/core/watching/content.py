"""What an answer looks like: empty, or an error that was returned as if it were an answer.

One pass over the pieces, in bounded memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from busctl.core.text import printable
from busctl.core.watching.observation import Remark, Rule, Severity
from busctl.core.watching.truncation import PROVIDER_KINDS, TruncationScan

WHOLE_BYTES = 64 * 1024
"""Up to here JSON is read by the parser; of larger payloads the beginning is looked at."""
HEAD_CHARS = 1000
UNKNOWN = "application/octet-stream"
"""Not said by the writer: what reads as text is looked at as such."""

_NOTHING = re.compile(
    rb'[\s\[\]{}",:]*|\s*null\s*|\s*\{\s*"content"\s*:\s*\[\s*\]\s*[,}].*', re.DOTALL
)
_ERROR_TEXT = re.compile(
    r"\s*(?:"
    r"Traceback \(most recent call last\)|"
    r"(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception)\b\s*[:(]|"
    r"(?:internal )?(?:server )?error\s*(?:[:\-]|\d{3}\b)|"
    r"(?:fatal|panic|exception|failed|failure)\s*:|"
    r"HTTP(?:/\d(?:\.\d)?)? (?:error )?[45]\d\d\b|"
    r"(?:[45]\d\d) (?:bad request|unauthorized|forbidden|not found|too many requests|"
    r"internal server error|bad gateway|service unavailable|gateway time-?out)\b|"
    r"<(?:!doctype html|html)[^>]*>.{0,400}<title>[^<]*\b(?:[45]\d\d|error|denied|unavailable)\b"
    r")",
    re.IGNORECASE | re.DOTALL,
)
_ERROR_JSON = re.compile(
    r'\s*\{\s*"(?:errors?|exception|traceback)"\s*:\s*(?!null|false|""|\[\s*\]|\{\s*\})'
)
_FAILED = {"error", "failed", "failure", "fail", "exception"}


class ContentScan:
    """Looks at a payload piece by piece; `add` may be called in a thread. `incomplete` is what its
    producer says of it, as `Labels.incomplete`."""

    def __init__(self, content_type: str, incomplete: str = "") -> None:
        self._incomplete = incomplete
        self.size = 0
        self._type = content_type
        self._truncation = TruncationScan(content_type)
        self._head = bytearray()

    def add(self, piece: bytes) -> None:
        if not self.size and self._type == UNKNOWN and _reads_as_text(piece):
            self._truncation = TruncationScan("text/plain")
        self.size += len(piece)
        room = WHOLE_BYTES + 1 - len(self._head)
        if room > 0:
            self._head += piece[:room]
        self._truncation.add(piece)

    @property
    def is_text(self) -> bool:
        """As its type says, or its beginning where that says nothing."""
        return self._truncation.looks

    def remarks(self) -> Iterator[Remark]:
        """What was found, once everything has been added."""
        if self._incomplete:
            kind = PROVIDER_KINDS.get(self._incomplete, "incomplete")
            yield Remark(
                Rule.TRUNCATION, Severity.WARNING, 1.0,
                f"Its own tool says that it is not whole: {printable(self._incomplete)}.",
                {"kind": kind},
            )  # fmt: skip
        for one in self._truncation.suspicions():
            told = ", ".join(f"{name} {value}" for name, value in one.detail.items())
            confidence = 0.95 if one.kind == "json_ends_early" else 0.85
            yield Remark(
                Rule.TRUNCATION, Severity.WARNING, confidence,
                f"It may have been cut before it was stored: {one.kind} ({told}).",
                {"kind": one.kind, **one.detail},
            )  # fmt: skip
        if self._is_empty():
            yield Remark(
                Rule.EMPTY, Severity.WARNING, 1.0 if not self.size else 0.9,
                f"There is nothing in its {self.size} bytes.",
            )  # fmt: skip
        elif self._truncation.looks and (shape := self._error()):
            yield Remark(
                Rule.ERROR_SHAPED, Severity.WARNING, 0.8,
                f"It has the shape of an error: {shape}.", {"shape": shape},
            )  # fmt: skip

    def _is_empty(self) -> bool:
        if not self.size:
            return True
        small = self._truncation.looks and self.size <= WHOLE_BYTES
        return small and _NOTHING.fullmatch(bytes(self._head)) is not None

    def _error(self) -> str | None:
        text = bytes(self._head[: 4 * HEAD_CHARS]).decode("utf-8", "replace")[:HEAD_CHARS]
        if text.lstrip()[:1] in ("{", "["):
            parsed = self._parsed() if self.size <= WHOLE_BYTES else None
            if isinstance(parsed, dict):
                return _error_in(parsed)
            return "an object that begins with an error" if _ERROR_JSON.match(text) else None
        return "a text that begins as errors do" if _ERROR_TEXT.match(text) else None

    def _parsed(self) -> Any:
        try:
            return json.loads(self._head)
        except (ValueError, RecursionError):
            return None  # not JSON, or not all of it: that is another rule's


def _reads_as_text(piece: bytes) -> bool:
    head = piece[: 4 * HEAD_CHARS]
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A character that is cut by the end of what was looked at is none that is wrong.
        return error.start > 0 and len(head) - error.start <= 3 and b"\0" not in head
    return b"\0" not in head


def _error_in(answer: dict[str, Any]) -> str | None:
    """What of an object says that it is an error. MCP's results have `isError`."""
    if answer.get("isError") is True or answer.get("is_error") is True:
        return "isError is true"
    for name in ("error", "errors", "exception", "traceback"):
        if answer.get(name):
            return f"it has {name!r}"
    for name in ("success", "ok"):
        if answer.get(name) is False:
            return f"{name!r} is false"
    if str(answer.get("status", "")).lower() in _FAILED:
        return "its status is one of failure"
    code = answer.get("status_code", answer.get("statusCode", answer.get("status")))
    if isinstance(code, int) and 400 <= code <= 599:
        return f"its status is {code}"
    return None
