"""What spares a cut: it tells of itself, the rest is used, or it is no payload."""

from __future__ import annotations

import ast

from audits.truncation.texts import name_of
from audits.truncation.words import is_error, is_label, marks, shortens, tells, words
from busctl.audit import FUNCTIONS, Function, Source


def is_spared(source: Source, node: ast.expr, value: ast.expr) -> bool:
    """Whether a cut (`node`) of `value` is a label, a test, told of, or followed by the rest."""
    if source.is_test or source.is_shown:
        return True
    name = name_of(value)
    if is_label(name) or is_error(name):
        return True
    function = source.function(node)
    if function is None or shortens(function.name) or _is_of_an_error(source, function):
        return True
    if any(
        check(source, node) for check in (_is_prefix_test, _grows, _is_counted, _is_of_an_exception)
    ):
        return True
    return told(source, function, node) or rest_is_used(source, function, value)


def _is_of_an_error(source: Source, function: Function) -> bool:
    around = source.class_of(function)
    return around is not None and around.name.endswith(("Error", "Exception", "Warning"))


def _is_of_an_exception(source: Source, node: ast.expr) -> bool:
    """`f"{type(e).__name__}: {e}"[:300]`, where `e` is what was caught."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return any(
        isinstance(parent, ast.ExceptHandler) and parent.name in names
        for parent in source.parents(node)
    )


def _is_prefix_test(source: Source, node: ast.expr) -> bool:
    parent = source.parent(node)
    return isinstance(parent, (ast.Compare, ast.UnaryOp, ast.Subscript))


def _grows(source: Source, node: ast.expr) -> bool:
    """`del buffer[:n]` and `buffer = buffer[:n]` in a loop that parses are no loss of their own."""
    return isinstance(source.statement(node), ast.Delete)


def _is_counted(source: Source, node: ast.AST) -> bool:
    """Whether the dictionary or call that takes the cut also says how much there was."""
    for parent in source.parents(node):
        names: list[str] = []
        if isinstance(parent, ast.Dict):
            names = [str(each.value) for each in parent.keys if isinstance(each, ast.Constant)]
        elif isinstance(parent, ast.Call):
            names = [each.arg for each in parent.keywords if each.arg]
        if any(_COUNTS & {*words(name)} for name in names):
            return True
        if isinstance(parent, ast.stmt):
            break
    return False


_COUNTS = frozenset({"next", "offset", "total", "full", "original", "length", "size", "more"})


def told(source: Source, function: Function, node: ast.expr) -> bool:
    """Whether something tells of the cut: a mark beside it, a flag, a log line about it, or a
    check that refuses what is too long."""
    for around in _beside(source, node):
        for each in ast.walk(around):
            if (
                isinstance(each, ast.Constant) and isinstance(each.value, str)
                and marks(each.value)
            ):  # fmt: skip
                return True
    own = _assigned_name(source, node)
    for each in ast.walk(function):
        said = _said_by(each)
        if said and said != own and tells(said) and not _is_docstring(source, each):
            return True
    documented = (ast.get_docstring(function, clean=False) or "").lower()
    return "truncat" in documented or "shorten" in documented


def _said_by(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return name
        case ast.keyword(arg=str() as name):
            return name
    return ""


def _assigned_name(source: Source, node: ast.AST) -> str:
    """The name that the cut itself is bound to: `truncated = text[:100]` is no flag."""
    statement = source.statement(node)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        return name_of(target)
    return ""


def _beside(source: Source, node: ast.AST) -> list[ast.AST]:
    """The statement of a cut, what comes right after it, and the `if` that it stands in."""
    statement = source.statement(node)
    parent = source.parent(statement)
    body = next(
        (
            block for name in ("body", "orelse", "finalbody")
            if isinstance(block := getattr(parent, name, None), list) and statement in block
        ),
        [statement],
    )  # fmt: skip
    at = body.index(statement)
    near: list[ast.AST] = [*body[at : at + 3]]
    if isinstance(statement, (ast.If, ast.For, ast.While, ast.With, ast.Try)):
        near = [node]
    if isinstance(parent, ast.If):
        near.append(parent)
    return near


def _is_docstring(source: Source, node: ast.AST) -> bool:
    return isinstance(source.parent(node), ast.Expr)


def rest_is_used(source: Source, function: Function, value: ast.expr) -> bool:
    """Whether another slice of the same thing takes the rest, or takes it piece by piece."""
    wanted = ast.dump(value)
    for each in ast.walk(function):
        if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Slice):
            lower = each.slice.lower
            beginning = lower is None or (isinstance(lower, ast.Constant) and lower.value == 0)
            negative = isinstance(lower, ast.UnaryOp)
            taken_out = isinstance(each.ctx, ast.Del)
            if (taken_out or not (beginning or negative)) and ast.dump(each.value) == wanted:
                return True
    return False


def in_loop(source: Source, node: ast.AST) -> bool:
    """Whether a node is run again and again within its function."""
    for parent in source.parents(node):
        if isinstance(parent, (ast.For, ast.While, ast.AsyncFor, ast.comprehension)):
            return True
        if isinstance(parent, (*FUNCTIONS, ast.Lambda)):
            return False
    return False
