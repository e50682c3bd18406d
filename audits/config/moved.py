"""The fix: a literal becomes the default of an environment read, in its place.

What runs without the variable stays as it was: the literal is kept as written, the type too.
"""

from __future__ import annotations

import ast
import builtins
import operator
from collections.abc import Callable, Sequence
from functools import lru_cache

from audits.config.literals import hardcoded
from audits.config.places import Place, last_name
from audits.config.words import words
from busctl.audit import FUNCTIONS, Finding, Source, Span

_SIGNS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Mult: operator.mul, ast.Add: operator.add, ast.Sub: operator.sub,
    ast.LShift: lambda left, right: int(left) << min(int(right), 64),
}  # fmt: skip
_CASTS = frozenset({"int", "float"})


@lru_cache(maxsize=2)
def variables(source: Source) -> dict[Span, str]:
    """The environment variable that each literal of a file would be read from, by its place. Two
    literals share one only if they are written alike."""
    names: dict[Span, str] = {}
    written: dict[str, str] = {}
    for each in hardcoded(source):
        if not _is_movable(each.place):
            continue
        text = source.segment(each.place.node)
        wanted = name = _name(source, each.place)
        number = 1
        while written.setdefault(name, text) != text:
            number += 1
            name = f"{wanted}_{number}"
        names[source.span(each.place.node)] = name
    return names


def edits(source: Source, finding: Finding) -> Sequence[tuple[Span, str]]:
    """The read in the literal's place, and `import os` where it is missing; none where a read
    cannot stand or `os` is something else."""
    name = variables(source).get(finding.span)
    place = next(
        (each.place for each in hardcoded(source) if source.span(each.place.node) == finding.span),
        None,
    )
    if name is None or place is None or not _is_free(source, place):
        return ()
    replaced = (finding.span, _read(source, place.node, name))
    if _has_os(source, place):
        return (replaced,)
    at = _import_line(source)
    if at is None or (source.function(place.node) is None and at > place.node.lineno):
        return ()
    return replaced, (Span(at, 1, at, 1), "import os\n")


def value_at(source: Source, span: Span) -> str:
    """The literal of a span as an environment file holds it."""
    for node in source.nodes(ast.Constant, ast.BinOp, ast.UnaryOp):
        if source.span(node) == span:
            return str(_counted(node))
    return ""


def _counted(node: ast.expr) -> object:
    """The value of a literal; `64 * 1024` is no number to whoever reads the environment."""
    match node:
        case ast.Constant():
            return node.value
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            value = _counted(inner)
            return -value if isinstance(value, (int, float)) else ""
        case ast.BinOp(left=first, op=sign, right=second) if type(sign) in _SIGNS:
            left, right = _counted(first), _counted(second)
            if isinstance(left, (int, float)) and isinstance(right, (int, float)):
                return _SIGNS[type(sign)](left, right)
    return ""


def _read(source: Source, node: ast.expr, name: str) -> str:
    text = source.segment(node)
    cast = _cast(node)
    read = f'os.environ.get("{name}", {text})'
    return f"{cast}({read})" if cast else read


def _cast(node: ast.expr) -> str:
    """What makes a text of the environment the literal's type."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ""
    real = any(
        (isinstance(each, ast.Constant) and isinstance(each.value, float))
        or isinstance(each, ast.Div)
        for each in ast.walk(node)
    )
    return "float" if real else "int"


def _is_movable(place: Place) -> bool:
    return isinstance(place.node, (ast.Constant, ast.BinOp)) and not any(
        isinstance(each, ast.Constant) and isinstance(each.value, (str, bytes))
        for each in ast.walk(place.node)
        if each is not place.node
    )


def _has_os(source: Source, place: Place) -> bool:
    """Whether the module imports `os`, before the literal where that is no function's."""
    function = source.function(place.node)
    return any(
        isinstance(each, ast.Import) and _brings_os(each)
        and (function is not None or each.lineno < place.node.lineno)
        for each in source.tree.body
    )  # fmt: skip


def _brings_os(statement: ast.Import) -> bool:
    return any(
        each.asname is None and each.name.partition(".")[0] == "os" for each in statement.names
    )


def _is_free(source: Source, place: Place) -> bool:
    """Whether `os` and the cast mean what they should around the literal, also where a function
    imports `os` for itself, perhaps only further down."""
    for around in source.parents(place.node):
        if isinstance(around, FUNCTIONS) and any(
            isinstance(each, ast.Import) and _brings_os(each) for each in ast.walk(around)
        ):
            return False
    needed = {"os", *_CASTS & {_cast(place.node)}}
    taken = {each.id for each in source.nodes(ast.Name) if isinstance(each.ctx, ast.Store)}
    taken |= {each.arg for each in source.nodes(ast.arg)}
    taken |= {each for each, origin in source.imports.items() if origin != each}
    shadowed = needed & taken
    return not shadowed and all(each == "os" or hasattr(builtins, each) for each in needed)


def _import_line(source: Source) -> int | None:
    """The line before which an import goes: the first import that is not of `__future__`, or what
    follows the docstring."""
    body = source.tree.body
    after = 0
    for statement in body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            after = (statement.end_lineno or statement.lineno) + 1
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            return statement.lineno if statement.col_offset == 0 else None
    first = body[0]
    if after == 0 and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        after = (first.end_lineno or first.lineno) + 1
    if after == 0:
        after = _first_line(first)
    return after if after <= len(source.lines) else None


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])


def _name(source: Source, place: Place) -> str:
    """`SERVER_CLIENT_FETCH_TIMEOUT`: package, module, function and what it is."""
    module = source.module.split(".")
    symbol = [each for each in source.symbol(place.node).split(".") if not each.startswith("__")]
    called = place.name or last_name(place.holder)
    if isinstance(place.holder, (ast.Assign, ast.AnnAssign)):
        symbol = symbol[:-1] if source.function(place.holder) is None else symbol[-1:]
    parts: list[str] = []
    for part in (module[0], module[-1], *symbol[-1:], called):
        parts += [each for each in words(part) if each not in parts]
    name = "_".join(parts).upper()
    return name if not name[:1].isdigit() else f"_{name}"
