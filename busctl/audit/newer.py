"""Syntax newer than the running interpreter, written down to what it reads, line by line.

libcst reads more than an older Python's `ast` does. What it finds is replaced in place, on the
same lines, by something older with the same names in it: rules see every statement where it is.
"""

from __future__ import annotations

import re

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

DEEPEST = 100
LONGEST_LINE = 1_000


# `except A, B:`, which libcst does not read: on one line, with its colon.
_UNBRACKETED = re.compile(
    r"^([ \t]*except\*?[ \t]+)((?:[\w.]+[ \t]*,[ \t]*)+[\w.]+)([ \t]*:)", re.MULTILINE
)


# `lazy import a`, of Python 3.15, which libcst does not read either.
_LAZY = re.compile(r"^([ \t]*)lazy[ \t]+(?=(?:import|from)[ \t])", re.MULTILINE)


def written_down(text: str) -> str | None:
    """The text in older syntax with its lines where they were; None if nobody can read it."""
    text = _LAZY.sub(r"\1", _UNBRACKETED.sub(r"\1(\2)\3", text))
    if not _is_shallow(text):
        return None
    try:
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    except (cst.ParserSyntaxError, RecursionError):
        return None
    places: list[tuple[CodeRange, str]] = []
    wrapper.visit(_visitor(places))
    return _replaced(text, places)


def _is_shallow(text: str) -> bool:
    """Whether libcst can read it at all: its parser overflows the stack, and takes the process
    with it, on 5,000 brackets in brackets or as many operators in a row (tried)."""
    depth = deepest = 0
    for sign in re.findall(r"[][(){}]", text):
        depth = depth + 1 if sign in "([{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest <= DEEPEST and max(map(len, text.split("\n"))) <= LONGEST_LINE


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

        def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
            formatted = _formatted(node)
            if formatted:
                inside = ", ".join(_inside(one) for one in formatted)
                self._put(node, f"str(({inside}", "\n", "))")
            return not formatted

        def visit_FormattedString(self, node: cst.FormattedString) -> bool:
            self._put(node, f"str(({_inside(node)}", "\n", "))")
            return False

        def visit_TemplatedString(self, node: cst.TemplatedString) -> bool:
            self._put(node, f"str(({_inside(node)}", "\n", "))")
            return False

    return Newer()


def _formatted(node: cst.BaseExpression) -> list[cst.FormattedString | cst.TemplatedString]:
    """The strings with braces among those that stand side by side."""
    if isinstance(node, cst.ConcatenatedString):
        return [*_formatted(node.left), *_formatted(node.right)]
    return [node] if isinstance(node, (cst.FormattedString, cst.TemplatedString)) else []


def _inside(node: cst.FormattedString | cst.TemplatedString) -> str:
    """What stands in the braces, as the elements of a tuple on one line."""
    found = [
        " ".join(_older(part.expression).split())
        for part in node.parts
        if isinstance(part, (cst.FormattedStringExpression, cst.TemplatedStringExpression))
    ]
    return ", ".join([*found, "''"])


def _older(expression: cst.BaseExpression) -> str:
    """The text of an expression; f-strings may lie in f-strings."""
    text = cst.Module([]).code_for_node(expression)
    return (written_down(text) or text) if "{" in text else text


def _replaced(text: str, places: list[tuple[CodeRange, str]]) -> str:
    lines = text.split("\n")
    for place, new in sorted(places, key=lambda one: (-one[0].start.line, -one[0].start.column)):
        first, last = place.start.line - 1, place.end.line - 1
        whole = lines[first][: place.start.column] + new + lines[last][place.end.column :]
        lines[first : last + 1] = whole.split("\n")
    return "\n".join(lines)
