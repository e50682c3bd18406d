"""What calls are given, and what functions take."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from busctl.audit import Function, Source


def argument(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    if position < len(call.args):
        one = call.args[position]
        return None if isinstance(one, ast.Starred) else one
    return next((word.value for word in call.keywords if word.arg in names), None)


def elements(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        yield from node.elts
    else:
        yield node


def functions_of(source: Source) -> tuple[Function, ...]:
    return (*source.nodes(ast.FunctionDef), *source.nodes(ast.AsyncFunctionDef))


def parameters_of(function: Function) -> list[str]:
    given = function.args
    return [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def defaults_of(function: Function) -> Iterator[tuple[str, ast.expr]]:
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    for one, value in zip(positional[len(positional) - len(given.defaults) :], given.defaults,
                          strict=True):  # fmt: skip
        yield one.arg, value
    for one, other in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if other is not None:
            yield one.arg, other


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def is_tested(source: Source, node: ast.AST) -> bool:
    """Whether an expression decides a branch by its truth alone."""
    parent = source.parent(node)
    if isinstance(parent, (ast.If, ast.While, ast.IfExp, ast.Assert)):
        return parent.test is node
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    if isinstance(parent, ast.BoolOp):
        return is_tested(source, parent)
    return isinstance(parent, ast.comprehension) and node in parent.ifs
