"""One Python file as rules see it: its tree, who is whose parent, what names stand for.

The tree is `ast`'s, walked once; a rule that must see comments or keep formatting asks for the
libcst node of a statement (`cst`), so that only what is suspicious is parsed a second time.
"""

from __future__ import annotations

import ast
import textwrap
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from busctl.audit.comments import lines_of, outside, tokenized
from busctl.audit.model import Span
from busctl.audit.tree import FIELDS, parsed, walk

if TYPE_CHECKING:
    import libcst as cst

Node = TypeVar("Node", bound=ast.AST)

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef
SCOPES = (*FUNCTIONS, ast.ClassDef)
_REST = 1 << 30
"""To the end of the line."""
_TEST_PARTS = {"test", "tests", "testing", "conftest.py", "tests.py"}
_SHOWN_PARTS = {"example", "examples", "docs", "doc", "demo", "demos", "samples", "benchmarks"}


class Source:
    """A parsed file. `path` is relative to the project, with slashes. Raises SyntaxError or
    ValueError when the text is no Python that can be read."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.tree, self._is_written_down = parsed(text)
        self._by_type: defaultdict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        self._parents: dict[ast.AST, ast.AST] = {}
        self._index()

    def _index(self) -> None:
        # In the order of the text, without recursion: generated files nest deeper than Python may.
        # `ast.walk` looks at every field of every node; this at those that can hold nodes only.
        parents, by_type, fields_of = self._parents, self._by_type, FIELDS
        waiting: list[ast.AST] = [self.tree]
        take = waiting.pop
        while waiting:
            node = take()
            kind = type(node)
            by_type[kind].append(node)
            for name in fields_of[kind]:
                held = getattr(node, name, None)
                if held.__class__ is list:
                    for child in reversed(held):
                        if child.__class__ in fields_of:  # not a name, or None for `**more`
                            parents[child] = node
                            waiting.append(child)
                elif held.__class__ in fields_of:
                    parents[held] = node
                    waiting.append(held)

    # --- looking around ----------------------------------------------------------------------

    def nodes(self, *kinds: type[Node]) -> Iterator[Node]:
        """All nodes of exactly these types, each type in the order of the tree."""
        for kind in kinds:
            yield from self._by_type.get(kind, ())  # type: ignore[misc]  # kept by their own type

    def within(self, node: ast.AST, *kinds: type[Node]) -> Iterator[Node]:
        """As `nodes`, of those at or below `node` only: two look-ups for each kind, no walk."""
        order, last = self._order
        first, end = order[node], last[node]
        for kind in kinds:
            same = self._by_type.get(kind)
            if not same:
                continue
            start = bisect_left(same, first, key=order.__getitem__)
            for one in islice(same, start, None):
                if order[one] > end:
                    break
                yield one  # type: ignore[misc]  # kept by their own type

    @cached_property
    def _order(self) -> tuple[dict[ast.AST, int], dict[ast.AST, int]]:
        """Each node's number in the order of the tree, and that of the last node below it."""
        order = {node: number for number, node in enumerate(walk(self.tree))}
        last = dict(order)
        parents = self._parents
        for node in reversed(order):
            above = parents.get(node)
            if above is not None and last[above] < last[node]:
                last[above] = last[node]
        return order, last

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node that holds this one. (Operators and contexts are shared and have none to
        rely on.)"""
        return self._parents.get(node)

    def parents(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around this one, from the inside out."""
        around = self._parents.get(node)
        while around is not None:
            yield around
            around = self._parents.get(around)

    def function(self, node: ast.AST) -> Function | None:
        """The function whose body runs this node; None at module or class level."""
        inner = node
        for around in self.parents(node):
            if isinstance(around, FUNCTIONS) and _in_body(around, inner):
                return around
            if isinstance(around, (ast.Lambda, ast.ClassDef)) and _in_body(around, inner):
                return None
            inner = around
        return None

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The innermost class around this node."""
        return next((one for one in self.parents(node) if isinstance(one, ast.ClassDef)), None)

    def symbol(self, node: ast.AST) -> str:
        """`Class.method` around (or at) this node; "" at module level."""
        names = [one.name for one in self.parents(node) if isinstance(one, SCOPES)]
        if isinstance(node, SCOPES):
            names.insert(0, node.name)
        return ".".join(reversed(names))

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that holds this node."""
        if isinstance(node, ast.stmt):
            return node
        return next(one for one in self.parents(node) if isinstance(one, ast.stmt))

    # --- names -------------------------------------------------------------------------------

    @cached_property
    def module(self) -> str:
        """The dotted name by the path, a leading `src` folder left out."""
        parts = self.path.removesuffix(".py").split("/")
        if parts and parts[0] == "src":
            parts = parts[1:]
        if parts and parts[-1] == "__init__":
            parts = parts[:-1]
        return ".".join(parts)

    @cached_property
    def imports(self) -> dict[str, str]:
        """What imported names stand for, anywhere in the file: `{"sleep": "time.sleep"}`."""
        found: dict[str, str] = {}
        for each in self.nodes(ast.Import):
            for alias in each.names:
                top = alias.name.partition(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        for origin in self.nodes(ast.ImportFrom):
            base = self.absolute(origin)
            for alias in origin.names:
                found[alias.asname or alias.name] = f"{base}.{alias.name}" if base else alias.name
        return found

    def absolute(self, origin: ast.ImportFrom) -> str:
        """The dotted module that `from … import` names, a relative one resolved."""
        if not origin.level:
            return origin.module or ""
        package = self.module.split(".")
        is_package = self.path.endswith("__init__.py")
        kept = package[: len(package) - origin.level + (1 if is_package else 0)]
        return ".".join([*kept, *([origin.module] if origin.module else [])])

    def dotted(self, node: ast.AST) -> str:
        """`os.environ.get` for that expression however it was imported; "" for what is no name.
        `self.x` stays `self.x`; a call in the chain reads `name()`."""
        parts: list[str] = []
        while True:
            if isinstance(node, ast.Attribute):
                parts.append(node.attr)
                node = node.value
            elif isinstance(node, ast.Name):
                parts.append(self.imports.get(node.id, node.id))
                break
            elif isinstance(node, ast.Call):
                inner = self.dotted(node.func)
                if not inner:
                    return ""
                parts.append(f"{inner}()")
                break
            else:
                return ""
        return ".".join(reversed(parts))

    def called(self, call: ast.Call) -> str:
        """The dotted name of what is called."""
        return self.dotted(call.func)

    # --- text --------------------------------------------------------------------------------

    @cached_property
    def lines(self) -> list[str]:
        """The file's lines as Python counts them, without their ends."""
        return lines_of(self.text)

    def line(self, number: int) -> str:
        """Line `number`, from 1; "" past the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def span(self, node: ast.AST) -> Span:
        """Where a node is; the file's beginning for a node without a place."""
        line = getattr(node, "lineno", 1)
        column = getattr(node, "col_offset", 0)
        end_line = getattr(node, "end_lineno", None) or line
        end_column = getattr(node, "end_col_offset", None)
        if end_column is None:
            end_column = column
        return Span(
            line, self._characters(line, column) + 1,
            end_line, self._characters(end_line, end_column) + 1,
        )  # fmt: skip

    def _characters(self, line: int, column: int) -> int:
        """ast counts columns in UTF-8 bytes."""
        text = self.line(line)
        if text.isascii():
            return column
        return len(text.encode()[:column].decode(errors="replace"))

    def segment(self, node: ast.AST) -> str:
        """The source text of a node."""
        span = self.span(node)  # ast.get_source_segment splits the whole text at every call
        lines = self.lines[span.line - 1 : span.end_line]
        if not lines:
            return ""
        lines[-1] = lines[-1][: span.end_column - 1]
        lines[0] = lines[0][span.column - 1 :]
        return "\n".join(lines)

    @cached_property
    def comments(self) -> dict[int, str]:
        """The comment of each line that has one, with its `#`."""
        if "#" not in self.text:
            return {}
        texts = None if self._is_written_down else self._texts_by_line()
        return tokenized(self.text) if texts is None else outside(self.lines, texts)

    def _texts_by_line(self) -> dict[int, list[tuple[int, int]]] | None:
        """Where the string literals lie on each line, in bytes: a `#` there begins no comment.
        None if a literal of several parts may have a comment between them."""
        found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for node in self.nodes(ast.Constant, ast.JoinedStr):
            if isinstance(node, ast.Constant) and not isinstance(node.value, (str, bytes)):
                continue
            first, last = node.lineno, node.end_lineno or node.lineno
            if first == last:
                found[first].append((node.col_offset, node.end_col_offset or 0))
                continue
            begun = self.line(first).encode()[node.col_offset :].lstrip(b"rbfuRBFU")
            if not begun.startswith((b'"""', b"'''")):
                if any("#" in self.line(number) for number in range(first, last + 1)):
                    return None
                continue
            found[first].append((node.col_offset, _REST))
            for number in range(first + 1, last):
                found[number].append((0, _REST))
            found[last].append((0, node.end_col_offset or 0))
        return found

    def comments_in(self, node: ast.AST) -> list[str]:
        """The comments on the lines of a node."""
        span = self.span(node)
        return [text for line, text in self.comments.items() if span.line <= line <= span.end_line]

    def cst(self, node: ast.stmt) -> cst.CSTNode:
        """The libcst tree of one statement, with its comments and spaces. Raises SyntaxError."""
        import libcst as cst

        span = self.span(node)
        text = textwrap.dedent("\n".join(self.lines[span.line - 1 : span.end_line]))
        try:
            return cst.parse_module(text + "\n").body[0]
        except cst.ParserSyntaxError as error:
            raise SyntaxError(str(error)) from error

    # --- what kind of file -------------------------------------------------------------------

    @cached_property
    def is_test(self) -> bool:
        """Whether the path is one of tests."""
        parts = self.path.lower().split("/")
        last = parts[-1]
        return (
            bool(_TEST_PARTS & set(parts)) or last.startswith("test_") or last.endswith("_test.py")
            # A folder with a hyphen is no package: test-int, integration-tests.
            or any(each.startswith(("test-", "tests-")) or each.endswith(("-test", "-tests"))
                   for each in parts[:-1])
        )  # fmt: skip

    @cached_property
    def is_shown(self) -> bool:
        """Whether the path is one of examples, documentation or benchmarks."""
        return bool(_SHOWN_PARTS & set(self.path.lower().split("/")[:-1]))


def _in_body(scope: ast.AST, child: ast.AST) -> bool:
    """Defaults, decorators and annotations run outside of what they belong to."""
    body = getattr(scope, "body", None)
    return child is body if not isinstance(body, list) else child in body
