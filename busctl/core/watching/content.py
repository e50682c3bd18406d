"""What an answer looks like: empty, or an error that was returned as if it were an answer.

One pass over the pieces, in bounded memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from busctl.core.text import counted, printable
from busctl.core.watching.observation import Remark, Rule, Severity
from busctl.core.watching.truncation import PROVIDER_KINDS, TruncationScan

WHOLE_BYTES = 64 * 1024
"""Up to here JSON is read by the parser; of larger payloads the beginning is looked at."""
HEAD_CHARS = 1000
UNKNOWN = "application/octet-stream"
"""Not said by the writer: what reads as text is looked at as such."""

_NO_VALUES = re.compile(rb'[\s\[\]{}",:]*|\s*null\s*')
"""JSON without a value in it: what a search that met nothing answers, and quite right so."""
_PHRASE = (
    r"(?:bad request|unauthorized|forbidden|not found|too many requests|internal server error|"
    r"bad gateway|service (?:temporarily )?unavailable|gateway time-?out)\b"
)
_ERROR_TEXT = re.compile(
    r"\s*(?:"
    r"Traceback \(most recent call last\)|"
    r"(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception)\b\s*[:(]|"
    r"(?:internal )?(?:server )?error\s*(?:[:\-]|\d{3}\b)|"
    # Not a sum: "failed: 0, passed: 10".
    r"(?:fatal|panic|exception|failed|failure)\s*:(?!\s*\d+\s*(?:[,;|)\n]|\Z))|"
    r"HTTP(?:/\d(?:\.\d)?)? (?:error )?[45]\d\d\b|"
    rf"[45]\d\d {_PHRASE}|"
    r"<(?:!doctype html|html)[^>]*>.{0,400}<title>(?:\s*(?:error|[45]\d\d)\s*(?:[:|\-–—<]|\d)|"
    rf"[^<]*\b(?:error [45]\d\d\b|[45]\d\d: |access denied\b|{_PHRASE}))"
    r")",
    re.IGNORECASE | re.DOTALL,
)
_ERROR_JSON = re.compile(
    r'\s*\{\s*"(?:errors?|exception|traceback)"\s*:\s*(?!null|false|""|\[\s*\]|\{\s*\}|-?\d)'
)
_NO_JSON = object()
_SAYS_CUT = ("truncated", "is_truncated", "isTruncated", "IsTruncated", "incomplete_results")
"""True in an answer that says so itself: GitHub's trees and searches, S3's lists, many tools."""
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
        answer = self._parsed()
        if isinstance(answer, dict):
            for name in (one for one in _SAYS_CUT if answer.get(one) is True):
                yield Remark(
                    Rule.TRUNCATION, Severity.WARNING, 0.9,
                    f"It says itself that it is not whole: {name!r} is true.",
                    {"kind": "truncated_by_own_word", "name": name},
                )  # fmt: skip
        if self._is_empty(answer):
            yield Remark(
                Rule.EMPTY, Severity.WARNING, 1.0 if not self.size else 0.9,
                f"There is nothing in its {counted(self.size, 'byte')}.",
            )  # fmt: skip
        elif answer is not _NO_JSON and _NO_VALUES.fullmatch(self._head):
            yield Remark(
                Rule.EMPTY, Severity.INFO, 0.5,
                f"It is JSON without a value ({counted(self.size, 'byte')}).",
            )  # fmt: skip
        elif self._truncation.looks and (shape := self._error(answer)):
            yield Remark(
                Rule.ERROR_SHAPED, Severity.WARNING, 0.8,
                f"It has the shape of an error: {shape}.", {"shape": shape},
            )  # fmt: skip

    def _is_empty(self, answer: Any) -> bool:
        if not self.size:
            return True
        small = self._truncation.looks and self.size <= WHOLE_BYTES
        return small and (not self._head.strip() or _is_empty_result(answer))

    def _error(self, answer: Any) -> str | None:
        if isinstance(answer, dict):
            return _error_in(answer)
        text = bytes(self._head[: 4 * HEAD_CHARS]).decode("utf-8", "replace")[:HEAD_CHARS]
        if text.lstrip()[:1] in ("{", "["):
            return "an object that begins with an error" if _ERROR_JSON.match(text) else None
        return "a text that begins as errors do" if _ERROR_TEXT.match(text) else None

    def _parsed(self) -> Any:
        """Its JSON; _NO_JSON for what is none, for larger ones, and for all that is no text."""
        if not self._truncation.looks or self.size > WHOLE_BYTES:
            return _NO_JSON
        if not self._head.lstrip().startswith((b"{", b"[", b'"', b"n")):
            return _NO_JSON
        try:
            return json.loads(self._head)
        except (ValueError, RecursionError):
            return _NO_JSON  # or not all of it: that is another rule's


def _reads_as_text(piece: bytes) -> bool:
    head = piece[: 4 * HEAD_CHARS]
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A character that is cut by the end of what was looked at is none that is wrong.
        return error.start > 0 and len(head) - error.start <= 3 and b"\0" not in head
    return b"\0" not in head


def _is_empty_result(answer: Any) -> bool:
    """Whether it is an MCP result that says nothing: no block, or blocks of text without a text."""
    if not isinstance(answer, dict) or answer.get("structuredContent"):
        return False
    blocks = answer.get("content")
    return isinstance(blocks, list) and all(
        isinstance(one, dict) and one.get("type") == "text" and not str(one.get("text", "")).strip()
        for one in blocks
    )


def _error_in(answer: dict[str, Any]) -> str | None:
    """What of an object says that it is an error. MCP's results have `isError`."""
    if answer.get("isError") is True or answer.get("is_error") is True:
        return "isError is true"
    for name in ("error", "errors", "exception", "traceback"):
        # A number is a measure or a count: {"error": 0.13}, {"errors": 3, "passed": 10}.
        if (said := answer.get(name)) and (said is True or not isinstance(said, int | float)):
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
