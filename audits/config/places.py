"""Where a literal stands: what it is passed as, assigned to, kept under or compared with."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Literal as Either
from typing import TypeGuard

from audits.config.values import number
from audits.config.words import listed
from busctl.audit import Source

Form = Either["keyword", "argument", "pair", "assigned", "entry", "compared", "returned", "listed"]
# What only gives a literal its type: the place is that of the call around it.
_WRAPPERS = listed(
    "Timeout ClientTimeout timedelta int float str Path PurePath SecretStr expanduser Decimal "
    "Duration TimeoutConfig"
)
_METHODS = listed("format rstrip strip encode expanduser resolve absolute")


@dataclass(frozen=True, slots=True)
class Place:
    """`node` is the whole literal, `name` what the place calls it ("" when it has none)."""

    node: ast.expr
    form: Form
    name: str
    holder: ast.AST
    """The call, assignment, dict, comparison or return around it."""
    position: int = -1
    """Which positional argument, for "argument"."""


def last_name(node: ast.AST) -> str:
    """`c` of `a.b.c`, of `a.b.c()` and of `c`."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def place_of(source: Source, constant: ast.Constant) -> Place | None:
    """Where a literal stands; None for a fallback (`x or LIT`), a default, a slice, a mere part
    of a calculation and whatever else is no place to configure."""
    literal = _whole(source, constant)
    node = literal
    while True:
        around = source.parent(node)
        if isinstance(around, ast.keyword):
            call = source.parent(around)
            if not isinstance(call, ast.Call):
                return None
            if last_name(call) not in _WRAPPERS:
                return Place(literal, "keyword", around.arg or "", call)
            node = call
            continue
        if isinstance(around, ast.Call) and node is not around.func:
            if last_name(around) not in _WRAPPERS:
                return Place(literal, "argument", "", around, _position(around, node))
            node = around
            continue
        if _is_choice(around, node):
            node = around
            continue
        if isinstance(around, ast.Attribute):  # "…".format(…), Path("…").expanduser()
            call = source.parent(around)
            if isinstance(call, ast.Call) and around.attr in _METHODS:
                node = call
                continue
            return None
        return _plain(source, literal, node, around)


def _is_choice(around: ast.AST | None, node: ast.expr) -> TypeGuard[ast.IfExp]:
    """`300 if local else 60`: either way a number of the source."""
    return (
        isinstance(around, ast.IfExp) and node is not around.test
        and number(around.body) is not None and number(around.orelse) is not None
    )  # fmt: skip


def _position(call: ast.Call, node: ast.expr) -> int:
    return next((at for at, each in enumerate(call.args) if each is node), -1)


def _plain(
    source: Source, literal: ast.expr, node: ast.expr, around: ast.AST | None
) -> Place | None:
    match around:
        case ast.Assign(targets=[target]) if around.value is node:
            return Place(literal, "assigned", _target(target), around)
        case ast.AnnAssign(target=target) if around.value is node:
            return Place(literal, "assigned", _target(target), around)
        case ast.Dict():
            return Place(literal, "entry", _key(around, node), around)
        case ast.Compare():
            return Place(literal, "compared", _compared(around, node), around)
        case ast.Return():
            return Place(literal, "returned", "", around)
        case ast.Tuple(elts=[_, second]) if second is node:
            return Place(literal, "pair", "", around)
        case ast.List():
            return _listed(source, literal, around)
        case _:
            return None


def _listed(source: Source, literal: ast.expr, values: ast.List) -> Place | None:
    """One of the values of `allow_origins=[…]`."""
    around = source.parent(values)
    call = source.parent(around) if isinstance(around, ast.keyword) else None
    if not isinstance(around, ast.keyword) or not isinstance(call, ast.Call):
        return None
    return Place(literal, "listed", around.arg or "", call)


def _target(target: ast.expr) -> str:
    if isinstance(target, ast.Subscript):
        key = target.slice
        return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
    return last_name(target)


def _key(entries: ast.Dict, node: ast.expr) -> str:
    for key, value in zip(entries.keys, entries.values, strict=True):
        if value is node:
            named = isinstance(key, ast.Constant) and isinstance(key.value, str)
            return str(key.value) if named else ""  # type: ignore[union-attr]  # just checked
    return ""


def _compared(compare: ast.Compare, node: ast.expr) -> str:
    others = [each for each in (compare.left, *compare.comparators) if each is not node]
    other = others[0]
    if isinstance(other, ast.Call) and last_name(other) == "len" and other.args:
        return f"len_{last_name(other.args[0])}"
    return last_name(other)


def _whole(source: Source, constant: ast.Constant) -> ast.expr:
    """The product, tuple, joined or formatted string that a constant is part of."""
    node: ast.expr = constant
    text = isinstance(constant.value, str)
    while True:
        around = source.parent(node)
        if (text and isinstance(around, ast.JoinedStr)) or (
            text and isinstance(around, ast.BinOp) and around.left is node
        ):
            node = around
        elif (
            not text and isinstance(around, (ast.BinOp, ast.UnaryOp, ast.Tuple))
            and _all_numbers(around)
        ):  # fmt: skip
            node = around
        else:
            return node


def _all_numbers(node: ast.BinOp | ast.UnaryOp | ast.Tuple) -> bool:
    if isinstance(node, ast.Tuple):
        return 0 < len(node.elts) <= 3 and all(
            number(each) is not None or _is_none(each) for each in node.elts
        )
    return number(node) is not None


def _is_none(node: ast.expr) -> bool:
    """`timeout=(5, None)`: so long to connect, for ever to read."""
    return isinstance(node, ast.Constant) and node.value is None
