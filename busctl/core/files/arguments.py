"""Which arguments of a call name files: those that the tool's schema marks.

A mark is `"format": "file-path"`, as pydantic writes FilePath, or `"x-busctl-file": true`, at a
text or at a list of them, at any depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from busctl.core.errors import InvalidArguments

Place = tuple[str | int, ...]
"""Where a value is in the arguments: names and numbers from the outside in."""

FORMAT, MARK = "file-path", "x-busctl-file"
DEPTH = 100
"""Arguments that are nested deeper are refused: what is not looked at is not let in."""
_BRANCHES = ("anyOf", "oneOf", "allOf")


def marked(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[Place, str]:
    """The texts at marked places, by their place. Raises InvalidArguments for arguments that are
    nested too deep."""
    search = _Search(schema)
    return {place: text for place, text in search.found(schema, arguments, ()) if text}


class _Search:
    """Looks through one schema; each part of it once for each place, whatever it refers to."""

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self._whole = whole
        self._seen: set[tuple[int, Place]] = set()

    def found(self, schema: Any, value: Any, at: Place) -> Iterator[tuple[Place, str]]:
        if not isinstance(schema, Mapping) or (id(schema), at) in self._seen:
            return
        self._seen.add((id(schema), at))
        if len(at) > DEPTH:
            raise InvalidArguments(f"The arguments are nested deeper than {DEPTH} levels.")
        if isinstance(value, str) and is_marked(schema):
            yield at, value
        if "$ref" in schema:
            yield from self.found(_resolved(schema["$ref"], self._whole), value, at)
        for branch in _BRANCHES:
            for each in _list(schema.get(branch)):
                yield from self.found(each, value, at)
        if isinstance(value, Mapping):
            yield from self._in_object(schema, value, at)
        elif isinstance(value, list):
            yield from self._in_list(schema, value, at)

    def _in_object(
        self, schema: Mapping[str, Any], value: Mapping[str, Any], at: Place
    ) -> Iterator[tuple[Place, str]]:
        properties = schema.get("properties")
        named = properties if isinstance(properties, Mapping) else {}
        for name, each in value.items():
            inner = named.get(name, schema.get("additionalProperties"))
            yield from self.found(inner, each, (*at, name))

    def _in_list(
        self, schema: Mapping[str, Any], value: list[Any], at: Place
    ) -> Iterator[tuple[Place, str]]:
        first = _list(schema.get("prefixItems"))
        for number, each in enumerate(value):
            if isinstance(each, str) and is_marked(schema):  # a list that is marked itself
                yield (*at, number), each
            inner = first[number] if number < len(first) else schema.get("items")
            yield from self.found(inner, each, (*at, number))


def is_marked(schema: Mapping[str, Any]) -> bool:
    """Whether the schema's own words say so."""
    return schema.get("format") == FORMAT or schema.get(MARK) is True


def _resolved(reference: object, whole: Mapping[str, Any]) -> Any:
    """What a reference within the schema points at: `#/$defs/Name` (RFC 6901)."""
    found: Any = whole
    if not (isinstance(reference, str) and reference.startswith("#/")):
        return None
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
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
