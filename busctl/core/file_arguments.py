"""Which arguments of a call name files: those that the tool's schema marks.

A mark is `"format": "file-path"`, as pydantic writes FilePath, or `"x-busctl-file": true`, at
a text or at the items of a list, at any depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Place = tuple[str | int, ...]
"""Where a value is in the arguments: names and numbers from the outside in."""

FORMAT, MARK = "file-path", "x-busctl-file"
DEPTH = 12
"""How deep marks are looked for; schemas may hold themselves."""
_BRANCHES = ("anyOf", "oneOf", "allOf")


def marked(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[Place, str]:
    """The texts at marked places, by their place."""
    return dict(_found(schema, arguments, schema, (), DEPTH))


def _found(
    schema: Any, value: Any, whole: Mapping[str, Any], at: Place, depth: int
) -> Iterator[tuple[Place, str]]:
    if not isinstance(schema, Mapping) or not depth:
        return
    if "$ref" in schema:
        yield from _found(_resolved(schema["$ref"], whole), value, whole, at, depth - 1)
    if isinstance(value, str) and (schema.get("format") == FORMAT or schema.get(MARK) is True):
        yield at, value
    for branch in _BRANCHES:
        for each in _list(schema.get(branch)):
            yield from _found(each, value, whole, at, depth - 1)
    yield from _inside(schema, value, whole, at, depth - 1)


def _inside(
    schema: Mapping[str, Any], value: Any, whole: Mapping[str, Any], at: Place, depth: int
) -> Iterator[tuple[Place, str]]:
    properties = schema.get("properties")
    if isinstance(value, Mapping) and isinstance(properties, Mapping):
        for name in properties.keys() & value.keys():
            yield from _found(properties[name], value[name], whole, (*at, name), depth)
    if isinstance(value, list):
        # A list that is marked itself is one of files, too.
        items = {MARK: True} if schema.get(MARK) is True else schema.get("items")
        for number, each in enumerate(value):
            yield from _found(items, each, whole, (*at, number), depth)


def _resolved(reference: object, whole: Mapping[str, Any]) -> Any:
    """What a reference within the schema points at: `#/$defs/Name`."""
    found: Any = whole
    if not (isinstance(reference, str) and reference.startswith("#/")):
        return None
    for part in reference[2:].split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def replaced(arguments: Mapping[str, Any], values: Mapping[Place, str]) -> dict[str, Any]:
    """The arguments with other texts at those places; the given ones stay as they are."""
    out = _copied(arguments)
    for place, value in values.items():
        holder = out
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = value
    return dict(out)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(each) for name, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
