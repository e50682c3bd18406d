"""Syntax newer than the running interpreter, written down to what it reads, line by line.

libcst reads more than an older Python's `ast` does. What it finds is replaced in place, on the
same lines, by something older with the same names in it: rules see every statement where it is.
"""

from __future__ import annotations

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider


def written_down(text: str) -> str | None:
    """The text in older syntax with its lines where they were; None if nobody can read it."""
    try:
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    except (cst.ParserSyntaxError, RecursionError):
        return None
    places: list[tuple[CodeRange, str]] = []
    wrapper.visit(_visitor(places))
    return _replaced(text, places)


def _visitor(places: list[tuple[CodeRange, str]]) -> cst.CSTVisitor:
    """Collects what to replace, and by what; a line break in it holds the lines below in place."""

    class Newer(cst.CSTVisitor):
        METADATA_DEPENDENCIES = (PositionProvider,)

        def _put(self, node: cst.CSTNode, head: str, line_break: str, tail: str = "") -> None:
            place = self.get_metadata(PositionProvider, node)
            breaks = line_break * (place.end.line - place.start.line)
            places.append((place, head + breaks + tail))

        def visit_TypeParameters(self, node: cst.TypeParameters) -> bool:
            self._put(node, "", "\\\n")
            return False

        def visit_TypeAlias(self, node: cst.TypeAlias) -> bool:
            self._put(node, f"{node.name.value} = (None", "\n", ")")
            return False

        def visit_FormattedString(self, node: cst.FormattedString) -> bool:
            self._put(node, f"str(({_inside(node)}", "\n", "))")
            return False

        def visit_TemplatedString(self, node: cst.TemplatedString) -> bool:
            self._put(node, f"str(({_inside(node)}", "\n", "))")
            return False

    return Newer()


def _inside(node: cst.FormattedString | cst.TemplatedString) -> str:
    """What stands in the braces, as the elements of a tuple on one line."""
    module = cst.Module([])
    found = [
        " ".join(module.code_for_node(part.expression).split())
        for part in node.parts
        if isinstance(part, (cst.FormattedStringExpression, cst.TemplatedStringExpression))
    ]
    return ", ".join([*found, "''"])


def _replaced(text: str, places: list[tuple[CodeRange, str]]) -> str:
    lines = text.split("\n")
    for place, new in sorted(places, key=lambda one: (-one[0].start.line, -one[0].start.column)):
        first, last = place.start.line - 1, place.end.line - 1
        whole = lines[first][: place.start.column] + new + lines[last][place.end.column :]
        lines[first : last + 1] = whole.split("\n")
    return "\n".join(lines)
