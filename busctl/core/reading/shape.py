"""The shape of a JSON value for people and models: keys, counts, kinds and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from busctl.core.reading.json_node import Kind, Node
from busctl.core.text import counted, printable, show_size

_SHORT = 40
_KEY_CHARS = 60
_DEPTHS = (4, 3, 2, 1)
_WIDTHS = (24, 12, 6, 3)


def shape_text(root: Node, room: int) -> str:
    """Lines of at most `room` characters in all: as deep and wide as fits there."""
    text = ""
    for width in _WIDTHS:
        for depth in _DEPTHS:
            text = "\n".join(_lines("", root, depth, width, ""))
            if len(text) <= room:
                return text
    return text if len(text) <= room else text[: max(0, room - 1)] + "…"


def shape_json(root: Node, *, depth: int = 4) -> dict[str, Any]:
    """`{type, bytes, count?, value?, members? | items?}`: `count` is of all members or items, those
    listed are the first. A value that the end of the text cuts has `bytes` null."""
    shape: dict[str, Any] = {"type": root.kind.value, "bytes": root.size or None}
    if root.kind in (Kind.OBJECT, Kind.ARRAY):
        shape["count"] = root.count
        if depth > 0 and root.members:
            listed = [
                {**({"key": key} if root.kind is Kind.OBJECT else {}),
                 **shape_json(node, depth=depth - 1)}
                for key, node in root.members
            ]  # fmt: skip
            shape["members" if root.kind is Kind.OBJECT else "items"] = listed
    return shape


def _lines(name: str, node: Node, depth: int, width: int, indent: str) -> Iterator[str]:
    yield f"{indent}{name}{_told(node)}"
    if depth <= 0 or not node.members:
        return
    indent += "  "
    if node.kind is Kind.ARRAY:
        yield from _item_lines(node, depth, width, indent)
        return
    for key, member in node.members[:width]:
        yield from _lines(f"{_key(key)}: ", member, depth - 1, width, indent)
    if node.count > min(width, len(node.members)):
        left = node.count - min(width, len(node.members))
        yield f"{indent}… {left:,} more"


def _item_lines(node: Node, depth: int, width: int, indent: str) -> Iterator[str]:
    """One of the first items when they are alike, else each."""
    items = [item for _, item in node.members]
    if len({_signature(item) for item in items}) == 1:
        first = "each" if node.count == len(items) else f"first {len(items)} alike"
        if len(items) == 1:
            first = "[0]"
        yield from _lines(f"{first}: ", items[0], depth - 1, width, indent)
        return
    for at, item in enumerate(items):
        yield from _lines(f"[{at}]: ", item, depth - 1, width, indent)


def _told(node: Node) -> str:
    cut = "" if node.stop is not None else ", cut by the end"
    if node.kind is Kind.OBJECT:
        return f"object, {counted(node.count, 'key')}, {show_size(node.size)}{cut}"
    if node.kind is Kind.ARRAY:
        return f"array, {counted(node.count, 'item')}, {show_size(node.size)}{cut}"
    if node.kind is Kind.STRING:
        text = node.text
        if text is not None and len(text) <= _SHORT:
            return f'string "{printable(text)}"'
        return f"string, {show_size(max(0, node.size - 2))}{cut}"
    if node.kind is Kind.NULL:
        return "null"
    return f"{node.kind.value} {node.sample.decode('ascii', 'replace')[:_SHORT]}"


def _signature(node: Node) -> tuple[Any, ...]:
    return (node.kind, *sorted(key for key, _ in node.members if node.kind is Kind.OBJECT))


def _key(key: str) -> str:
    shown = printable(key)
    return shown if len(shown) <= _KEY_CHARS else shown[: _KEY_CHARS - 1] + "…"
