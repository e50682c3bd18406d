"""What a JSONPath selects from a payload."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one query: values told, bytes of each and of all of them, seconds and bytes of memory."""

    most: int
    value_bytes: int
    room: int
    seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Value:
    """One selected value: its normalized path, its compact JSON (the beginning of it when `cut`)
    and how many bytes that has whole. `line` numbers the value of several that it is within."""

    path: str
    json: str
    size: int
    cut: bool
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ValuesFound:
    """`more`: the path selects others behind these."""

    values: tuple[Value, ...]
    more: bool
