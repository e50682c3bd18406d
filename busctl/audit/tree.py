"""Python's tree of a text, and going through it faster than `ast` does."""

from __future__ import annotations

import ast
from collections.abc import Iterator

NO_FIELDS = (ast.expr_context, ast.operator, ast.boolop, ast.unaryop, ast.cmpop)
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


FIELDS: dict[type[ast.AST], tuple[str, ...]] = {
    kind: _fields(kind)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST) and not issubclass(kind, NO_FIELDS)
}


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below this one, in the order of its fields. Operators and contexts, which
    are shared between nodes, are left out; `ast.iter_child_nodes` takes three times as long."""
    found: list[ast.AST] = []
    for name in reversed(FIELDS[type(node)]):
        held = getattr(node, name, None)
        if held.__class__ is list:
            found += [child for child in held if child.__class__ in FIELDS]
        elif held.__class__ in FIELDS:
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


def parse(text: str) -> ast.Module:
    """The tree of a text; newer syntax than this Python's is written down to it line by line.
    Raises SyntaxError or ValueError (NUL bytes; nested too deep)."""
    return parsed(text)[0]


def parsed(text: str) -> tuple[ast.Module, bool]:
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
