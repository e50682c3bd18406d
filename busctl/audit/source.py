"""One Python file as rules see it: its tree, who is whose parent, what names stand for.

The tree is `ast`'s, walked once; a rule that must see comments or keep formatting asks for the
libcst node of a statement (`cst`), so that only what is suspicious is parsed a second time.
"""

from __future__ import annotations

import ast
import io
import textwrap
import tokenize
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from busctl.audit.model import Span

if TYPE_CHECKING:
    import libcst as cst

Node = TypeVar("Node", bound=ast.AST)

_NO_FIELDS = (ast.expr_context, ast.operator, ast.boolop, ast.unaryop, ast.cmpop)
"""Shared between the nodes that have them: they have no place and no parent of their own."""
_NO_NODES = {
    "ctx",
    "op",
    "ops",
    "name",
    "id",
    "attr",
    "arg",
    "names",
    "type_comment",
    "lineno",
    "n",
}


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields that can hold nodes, the last first: what is pushed last is taken first."""
    if kind in (ast.Name, ast.Constant):
        return ()
    holding = [name for name in kind._fields if name not in _NO_NODES or kind is ast.Lambda]
    if kind in (ast.Import, ast.ImportFrom):
        holding = ["names"]
    elif kind is ast.keyword or kind.__name__ == "TypeAlias":
        holding = ["value"]
    return tuple(reversed(holding))


_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {
    kind: _fields(kind)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST) and not issubclass(kind, _NO_FIELDS)
}

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef
SCOPES = (*FUNCTIONS, ast.ClassDef)
_REST = 1 << 30
"""To the end of the line."""
_TEST_PARTS = {"test", "tests", "testing", "conftest.py"}
_SHOWN_PARTS = {"example", "examples", "docs", "doc", "demo", "demos", "samples", "benchmarks"}


def lines_of(text: str) -> list[str]:
    """The lines as Python counts them: form feeds and the like end none."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below this one, in the order of its fields. Operators and contexts, which
    are shared between nodes, are left out; `ast.iter_child_nodes` takes three times as long."""
    found: list[ast.AST] = []
    for name in reversed(_FIELDS[type(node)]):
        held = getattr(node, name, None)
        if held.__class__ is list:
            found += [child for child in held if child.__class__ in _FIELDS]
        elif held.__class__ in _FIELDS:
            found.append(held)
    return found


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """This node and all below it, in the order of the tree. As `children` leaves out."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        if below := children(one):
            below.reverse()
            waiting += below


class Source:
    """A parsed file. `path` is relative to the project, with slashes. Raises SyntaxError or
    ValueError when the text is no Python that can be read."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.tree, self._is_written_down = _parsed(text)
        self._by_type: defaultdict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        self._parents: dict[ast.AST, ast.AST] = {}
        self._index()

    def _index(self) -> None:
        # In the order of the text, without recursion: generated files nest deeper than Python may.
        # `ast.walk` looks at every field of every node; this at those that can hold nodes only.
        parents, by_type, fields_of = self._parents, self._by_type, _FIELDS
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
        return _tokenized(self.text) if texts is None else _outside(self.lines, texts)

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
        )

    @cached_property
    def is_shown(self) -> bool:
        """Whether the path is one of examples, documentation or benchmarks."""
        return bool(_SHOWN_PARTS & set(self.path.lower().split("/")[:-1]))


def _tokenized(text: str) -> dict[int, str]:
    """Comments by Python's own tokenizer: exact, and 20 times as long as parsing."""
    found: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.string
    except (tokenize.TokenError, SyntaxError, IndentationError):
        # Syntax newer than this Python's tokenizer: the comments up to there are kept.
        return found
    return found


def _outside(lines: list[str], texts: dict[int, list[tuple[int, int]]]) -> dict[int, str]:
    """What follows the first `#` of each line that lies in no string literal."""
    found: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        if "#" not in line:
            continue
        literals = texts.get(number)
        if literals is None:
            found[number] = line[line.index("#") :].rstrip()
            continue
        held = line.encode()
        at = held.find(b"#")
        while at >= 0 and (ends := [end for start, end in literals if start <= at < end]):
            at = held.find(b"#", max(ends))
        if at >= 0:
            found[number] = held[at:].decode().rstrip()
    return found


def _in_body(scope: ast.AST, child: ast.AST) -> bool:
    """Defaults, decorators and annotations run outside of what they belong to."""
    body = getattr(scope, "body", None)
    return child is body if not isinstance(body, list) else child in body


def parse(text: str) -> ast.Module:
    """The tree of a text; newer syntax than this Python's is written down to it line by line.
    Raises SyntaxError or ValueError (NUL bytes; nested too deep)."""
    return _parsed(text)[0]


def _parsed(text: str) -> tuple[ast.Module, bool]:
    """The tree, and whether the text had to be written down."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in somebody's string is not ours to report
        try:
            return ast.parse(text), False
        except SyntaxError as error:
            from busctl.audit.newer import written_down

            older = written_down(text)
            if older is None or older == text:
                raise
            try:
                return ast.parse(older), True
            except SyntaxError:
                raise error from None
        except (RecursionError, MemoryError) as error:
            raise ValueError(f"nested too deep: {error}") from error
