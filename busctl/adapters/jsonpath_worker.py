"""The process that runs one JSONPath: `python -m busctl.adapters.jsonpath_worker`.

Standard input is a line of JSON (path, bounds) and then the payload to its end; standard output is
one JSON object. A process, because neither the parser nor the query lets go of the interpreter, and
because the kernel ends it: its memory and processor time are bounded before it reads anything.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from typing import Any

import re2
from jsonpath import JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.function_extensions import ExpressionType, FilterFunction

_SPARE_SECS = 1
_PATTERN_BYTES = 1 << 20


class _Linear(FilterFunction):
    """`match` and `search` of RFC 9535 by RE2."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012  # as the library has it
    return_type = ExpressionType.LOGICAL

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._known: dict[str, Any] = {}

    def __call__(self, value: object, pattern: object) -> bool:
        if not isinstance(value, str) or not isinstance(pattern, str):
            return False
        if pattern not in self._known:
            self._known[pattern] = _compiled(pattern)
        regexp = self._known[pattern]
        if regexp is None:
            return False
        found = regexp.fullmatch(value) if self._whole else regexp.search(value)
        return found is not None


def _compiled(pattern: str) -> Any:
    """None for what is no expression: then nothing matches, as RFC 9535 says."""
    options = re2.Options()
    options.max_mem, options.log_errors, options.never_capture = _PATTERN_BYTES, False, True
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError):
        return None


class _Environment(JSONPathEnvironment):
    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions["match"] = _Linear(whole=True)
        self.function_extensions["search"] = _Linear(whole=False)


def main() -> None:
    """Answer one query."""
    source = sys.stdin.buffer
    asked = json.loads(source.readline())
    _bound(asked["memory_bytes"], asked["seconds"])
    try:
        told = _answer(asked, source.read())
    except MemoryError:
        told = {"error": "memory"}
    except RecursionError:
        told = {"error": "json", "message": "it is nested too deep"}
    json.dump(told, sys.stdout)


def _bound(memory: int, seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    cpu = int(seconds) + _SPARE_SECS
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(asked: dict[str, Any], payload: bytes) -> dict[str, Any]:
    try:
        path = _Environment(strict=True).compile(asked["path"])
    except (JSONPathError, RecursionError) as error:
        return {"error": "path", "message": str(error).splitlines()[0]}
    told: list[dict[str, Any]] = []
    room = asked["room"]
    try:
        for line, value in _values(payload):
            for match in path.finditer(value):
                if len(told) >= asked["most"] or room <= 0:
                    return {"values": told, "more": True}
                told.append(_shown(match, line, asked["value_bytes"]))
                room -= len(told[-1]["json"])
    except json.JSONDecodeError as error:
        return {"error": "json", "message": f"{error.msg} at character {error.pos:,}"}
    except UnicodeDecodeError as error:
        return {"error": "json", "message": f"byte {error.start:,} is no UTF-8"}
    except JSONPathError as error:
        return {"error": "path", "message": str(error).splitlines()[0]}
    return {"values": told, "more": False}


def _values(payload: bytes) -> Iterator[tuple[int | None, Any]]:
    """The value, or the values of several lines with their numbers."""
    try:
        yield None, json.loads(payload)
        return
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
    for number, line in enumerate(payload.split(b"\n"), 1):
        if line.strip():
            yield number, json.loads(line)


def _shown(match: Any, line: int | None, most: int) -> dict[str, Any]:
    text = json.dumps(match.obj, ensure_ascii=False, separators=(",", ":"))
    raw = text.encode("utf-8", "backslashreplace")
    shown = raw[:most].decode("utf-8", "ignore")
    return {"path": match.path, "json": shown, "size": len(raw), "cut": len(raw) > most,
            "line": line}  # fmt: skip


if __name__ == "__main__":
    main()
