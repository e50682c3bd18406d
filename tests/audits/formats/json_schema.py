"""JSON Schema draft 4, as much of it as the SARIF schema uses; an unknown keyword is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]
_NO_URI = re.compile(r'[\s<>"{}|\\^`\x00-\x1f]|%(?![0-9A-Fa-f]{2})')
_SAID_ONLY = {
    "$schema", "id", "title", "description", "default", "definitions", "format", "properties",
    "additionalProperties",
}  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,),
    "number": (int, float), "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def faults(value: Any, schema: Schema, root: Schema, at: str = "$") -> Iterator[str]:
    """What of `value` the schema does not allow."""
    if "$ref" in schema:
        _, _, name = schema["$ref"].rpartition("/")
        yield from faults(value, root["definitions"][name], root, at)
        return
    for keyword, wanted in schema.items():
        if keyword not in _SAID_ONLY:
            yield from _of(keyword, value, wanted, root, at)
    if isinstance(value, dict):
        yield from _members(value, schema, root, at)
    if schema.get("format", "").startswith("uri") and _NO_URI.search(str(value)):
        yield f"{at}: no URI: {value!r}"


def _of(keyword: str, value: Any, wanted: Any, root: Schema, at: str) -> Iterator[str]:
    match keyword:
        case "type":
            kinds = wanted if isinstance(wanted, list) else [wanted]
            if not any(_is(value, kind) for kind in kinds):
                yield f"{at}: {value!r} is no {wanted}"
        case "enum":
            if value not in wanted:
                yield f"{at}: {value!r} is none of {wanted}"
        case "items":
            for number, each in enumerate(value if isinstance(value, list) else []):
                yield from faults(each, wanted, root, f"{at}[{number}]")
        case "anyOf" | "oneOf":
            fits = sum(not list(faults(value, each, root, at)) for each in wanted)
            if not fits or (keyword == "oneOf" and fits > 1):
                yield f"{at}: {fits} of {len(wanted)} alternatives fit"
        case _:
            kind, holds = _LIMITS[keyword]
            if _is(value, kind) and not holds(value, wanted):
                yield f"{at}: {value!r} breaks {keyword} {wanted!r}"


_LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "required": ("object", lambda value, wanted: set(wanted) <= set(value)),
    "minItems": ("array", lambda value, wanted: len(value) >= wanted),
    "uniqueItems": ("array", lambda value, on: not on or len({*map(repr, value)}) == len(value)),
    "minimum": ("number", lambda value, wanted: value >= wanted),
    "maximum": ("number", lambda value, wanted: value <= wanted),
    "pattern": ("string", lambda value, wanted: re.search(wanted, value) is not None),
}


def _members(value: dict[str, Any], schema: Schema, root: Schema, at: str) -> Iterator[str]:
    known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, each in value.items():
        if name in known:
            yield from faults(each, known[name], root, f"{at}.{name}")
        elif more is False:
            yield f"{at}: {name} is not allowed"
        elif isinstance(more, dict):
            yield from faults(each, more, root, f"{at}.{name}")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])
