"""Whether a result of `tools/call` has the form that clients of the Model Context Protocol take."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "image": ("data", "mimeType"),
    "audio": ("data", "mimeType"),
    "resource_link": ("uri", "name"),
}
"""The texts that a block of each kind must have."""
_KNOWN = {"content", "structuredContent", "isError", "_meta", "resultType"}
_LARGE = re.compile(rb"\d[eE]\+?\d{3,}|\d{290,}\.?\d*(?:[eE]\+?\d+)?")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def as_taken(result: dict[str, Any], received: bytes) -> dict[str, Any] | None:
    """The result as clients take it, None where they would refuse it: blocks of kinds to come,
    blocks without what belongs to them, half of a surrogate pair, numbers that no double holds and
    that would be told as null. `received` is its JSON. A result that says nothing but structured
    content, or nothing at all, gets the empty list of blocks that servers leave out."""
    if "content" not in result and result.keys() <= _KNOWN:
        result = {**result, "content": []}
    blocks = result.get("content")
    objects = (result.get("structuredContent"), result.get("_meta"))
    if not isinstance(blocks, list) or not all(map(_is_block, blocks)):
        return None
    if not all(each is None or isinstance(each, dict) for each in objects):
        return None
    return result if _has_utf8(result, received) and _has_numbers(result, received) else None


def _is_block(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    for name in ("_meta", "annotations"):
        if not isinstance(block.get(name), dict | NoneType):
            return False
    if block.get("type") == "resource":
        inner = block.get("resource")
        return isinstance(inner, dict) and (
            _has(inner, ("uri", "text")) or _has(inner, ("uri", "blob"))
        )
    names = _FIELDS.get(str(block.get("type")))
    return names is not None and _has(block, names)


def _has(block: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return all(isinstance(block.get(name), str) for name in names)


def _has_numbers(result: Mapping[str, Any], received: bytes) -> bool:
    """Whether its numbers are finite: 1e999 is JSON. Ids and base64 in its texts look like it."""
    return _LARGE.search(received) is None or all(map(_is_finite, _numbers(result)))


def _numbers(value: Any) -> Iterator[int | float]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, int | float):
            yield one


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer that no double holds
        return False


def _has_utf8(result: Mapping[str, Any], received: bytes) -> bool:
    """Whether its texts have UTF-8: a lone surrogate has none."""
    if _SURROGATE.search(received) is None:
        return True
    try:
        json.dumps(result, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
