"""How the text of a variable is used: converted, guarded, and when."""

from __future__ import annotations

import ast

from audits.config.definitions import elements
from busctl.audit import FUNCTIONS, Source

_CASTS = {"int", "float", "bool", "str", "complex"}
_LOADERS = {
    "json.loads", "decimal.Decimal", "fractions.Fraction", "uuid.UUID", "ast.literal_eval",
    "ipaddress.ip_address", "ipaddress.ip_network", "datetime.datetime.fromisoformat",
    "yaml.safe_load", "tomllib.loads",
}  # fmt: skip
_CONVERSION_ERRORS = {
    "ValueError", "TypeError", "Exception", "BaseException", "KeyError", "LookupError",
    "JSONDecodeError", "InvalidOperation", "ArithmeticError", "SyntaxError",
}  # fmt: skip


def import_time(source: Source, node: ast.AST) -> bool:
    """Whether importing the module runs this (a `__main__` block does not)."""
    if source.function(node) is not None:
        return False
    for around in source.parents(node):
        if isinstance(around, (ast.Lambda, *FUNCTIONS)):
            return isinstance(around, FUNCTIONS)
        if isinstance(around, ast.If) and _is_main(around.test):
            return False
    return True


def conversion(source: Source, read: ast.AST) -> tuple[str, ast.Call] | None:
    """The call that turns the text into another type: `("int", call)`."""
    node: ast.AST = read
    for around in source.parents(node):
        if isinstance(around, ast.Call):
            if node in around.args:
                called = source.called(around)
                known = called in _CASTS or called in _LOADERS
                return (called, around) if known else None
            if node is not around.func:
                return None
        elif isinstance(around, ast.BoolOp):
            if not isinstance(around.op, ast.Or):
                return None
        elif not (isinstance(around, ast.Attribute) and _keeps_text(around.attr)):
            return None
        node = around
    return None


def handled(source: Source, node: ast.AST) -> bool:
    """Whether an error of conversion is caught around it."""
    inner = node
    for around in source.parents(node):
        if isinstance(around, FUNCTIONS):
            return False
        if isinstance(around, ast.Try) and inner in around.body and catches(around):
            return True
        if isinstance(around, ast.With) and any(
            source.dotted(item.context_expr).startswith("contextlib.suppress")
            for item in around.items
        ):
            return True
        inner = around
    return False


def _keeps_text(method: str) -> bool:
    return method in ("strip", "lower", "upper", "rstrip", "lstrip", "replace")


def catches(one: ast.Try) -> bool:
    return any(
        handler.type is None
        or any(getattr(each, "attr", getattr(each, "id", "")) in _CONVERSION_ERRORS
               for each in elements(handler.type))
        for handler in one.handlers
    )  # fmt: skip


def _is_main(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare) and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
    )  # fmt: skip
