"""What a function makes of an empty value that stands in for a failure, as far as its text tells.

`content = {}`, then `url = content.get("url")` and `if not url:` is a failure that is noticed, only
two lines later.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any


class UnknownValue(Exception):
    """The text alone does not tell what an expression gives."""


def start(targets: Sequence[str], value: ast.expr | None) -> dict[str, Any]:
    """The names that a handler gives a constant or an empty display."""
    if value is None:
        return {}
    try:
        stands_in = evaluated(value, {})
    except UnknownValue:
        return {}
    return dict.fromkeys((name for name in targets if name.isidentifier()), stands_in)


def follow(statement: ast.stmt, known: dict[str, Any]) -> None:
    """What a statement changes in the names whose value is known."""
    told: dict[str, Any] = {}
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        with suppress(UnknownValue):
            told[statement.targets[0].id] = evaluated(statement.value, known)
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            known.pop(node.id, None)
        changed = isinstance(node, ast.Attribute) and node.attr != "get"  # `found.append(row)`
        changed = changed or (
            isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)
        )
        if changed and isinstance(held := getattr(node, "value", None), ast.Name):
            known.pop(held.id, None)
    known.update(told)


def evaluated(value: ast.expr, known: Mapping[str, Any]) -> Any:
    """The value of an expression. Raises UnknownValue where its text does not tell."""
    match value:
        case ast.Constant(value=constant):
            return constant
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Dict(keys=[]):
            return {}
        case ast.List(elts=[]):
            return []
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            return -number
    return _worked_out(value, known)


def _worked_out(value: ast.expr, known: Mapping[str, Any]) -> Any:
    match value:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not evaluated(operand, known)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return evaluated(body if evaluated(test, known) else orelse, known)
        case ast.BoolOp(op=op, values=values):
            return _joined(isinstance(op, ast.Or), values, known)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(evaluated(left, known), op, evaluated(right, known))
        case ast.Call(func=ast.Attribute(value=held, attr="get"), args=[_, *rest], keywords=[]):
            if evaluated(held, known) == {}:
                return evaluated(rest[0], known) if rest else None
    raise UnknownValue


def _joined(either: bool, values: Sequence[ast.expr], known: Mapping[str, Any]) -> Any:
    """`and` and `or`; one part that decides is enough, wherever it stands."""
    unknown = False
    found: Any = None
    for each in values:
        try:
            found = evaluated(each, known)
        except UnknownValue:
            unknown = True
            continue
        if bool(found) is either:
            return found
    if unknown:
        raise UnknownValue
    return found


def _compared(left: Any, op: ast.cmpop, right: Any) -> bool:
    match op:
        case ast.Eq():
            return bool(left == right)
        case ast.NotEq():
            return bool(left != right)
        case ast.Is() if right is None:
            return left is None
        case ast.IsNot() if right is None:
            return left is not None
    raise UnknownValue
