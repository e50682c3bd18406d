"""Whether what fails in a piece of code stays there: kept by a handler, or at least said."""

from __future__ import annotations

import ast

from audits.names import called_last
from busctl.audit import FUNCTIONS, Function, Source

BROAD = {"Exception", "BaseException"}
_LIGHT = {
    "isinstance", "len", "getattr", "hasattr", "str", "int", "repr", "time", "monotonic", "get",
    "perf_counter", "now", "utcnow", "debug", "info", "warning", "error", "exception", "log",
    "print", "set", "clear", "is_set", "copy", "format", "join", "strip", "lower", "dict", "list",
    "sleep", "append", "wait",
}  # fmt: skip
_HARMLESS = (*FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom)
_SAID = {"warning", "error", "exception", "critical", "print_exc"}


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether it catches everything, or all of Exception."""
    if handler.type is None:
        return True
    named = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(one, ast.Name) and one.id in BROAD for one in named)


def keeps(node: ast.Try) -> bool:
    """Whether a failure of its body stays inside: a broad handler that does not raise."""
    return any(
        is_broad(handler)
        and not any(isinstance(one, ast.Raise) for each in handler.body for one in ast.walk(each))
        for handler in node.handlers
    )


def tells(node: ast.Try) -> bool:
    """Whether a failure of its body is kept, or said in a log before it goes on."""
    return keeps(node) or any(
        isinstance(one, ast.Call) and called_last(one) in _SAID
        for handler in node.handlers for statement in handler.body for one in ast.walk(statement)
    )  # fmt: skip


def sheltered(source: Source, node: ast.AST, function: Function) -> bool:
    """Whether the function keeps what fails at this node, or says it in a log."""
    inner = node
    for around in source.parents(node):
        if around is function:
            return False
        if isinstance(around, ast.Try) and inner in around.body and tells(around):
            return True
        inner = around
    return False


def expected(source: Source, node: ast.AST, function: Function) -> bool:
    """Whether a handler in the function takes some of the errors of this node, without raising."""
    inner = node
    for around in source.parents(node):
        if around is function:
            return False
        if isinstance(around, ast.Try) and inner in around.body and around.handlers:
            return not any(
                isinstance(one, ast.Raise)
                for handler in around.handlers for one in ast.walk(handler)
            )  # fmt: skip
        inner = around
    return False


def contained(function: Function) -> bool:
    """Whether everything of weight in it stands in a try that keeps its failures: all of it, or
    most where only preparations stand outside."""
    if _contained(function.body):
        return True
    inside = _kept_calls(function.body)
    return bool(inside) and 2 * inside >= _calls(function.body)


def _calls(body: list[ast.stmt]) -> int:
    return sum(isinstance(one, ast.Call) for each in body for one in ast.walk(each))


def _kept_calls(body: list[ast.stmt]) -> int:
    """The calls that stand in a try that keeps or tells their failures."""
    found, waiting = 0, [*body]
    while waiting:  # without recursion: a chain of elif nests deeper than Python may
        one = waiting.pop()
        if isinstance(one, ast.Try) and tells(one):
            found += _calls([one])
        elif not isinstance(one, (*FUNCTIONS, ast.ClassDef)):
            waiting += [*getattr(one, "body", []), *getattr(one, "orelse", [])]
    return found


def _contained(body: list[ast.stmt]) -> bool:
    waiting = [*body]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Try):
            waiting += [] if tells(one) else [*one.body, *one.finalbody]
        elif isinstance(one, (ast.If, ast.While)):
            if not light(one.test):
                return False
            waiting += [*one.body, *one.orelse]
        elif isinstance(one, (ast.For, ast.With)):
            waiting += one.body
        elif not isinstance(one, _HARMLESS) and not light(one):
            return False
    return True


def light(node: ast.AST) -> bool:
    """Whether nothing in it is likely to fail: no calls but looking, logging and clocks."""
    for inner in ast.walk(node):
        if isinstance(inner, (ast.Await, ast.Raise)):
            return False
        if isinstance(inner, ast.Call) and not light_call(inner):
            return False
    return True


def light_call(call: ast.Call) -> bool:
    """Whether it only looks, logs or reads a clock, by its name."""
    return called_last(call) in _LIGHT
