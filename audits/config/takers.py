"""Functions of the project that take the name of a variable, and the calls that may be of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from audits.config.conversions import catches, import_time
from audits.config.definitions import defaults_of, functions_of, last_name, parameters_of
from audits.config.parts import Parts, Scope
from audits.config.reads import Reads
from busctl.audit import Function, Source

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+\Z")
_SMALL = 60
_NOT_HANDED = {"os", "logging", "json", "re", "typing", "builtins", "pathlib"}
_PARAMETER = re.compile(r"name|key|var|env|secret|setting|option|field", re.IGNORECASE)
_READING = re.compile(
    r"env|secret|sett|conf|var|get|read|int|bool|flag|float|str|list|opt|param|requir|look|load"
    r"|fetch|resolv|from|parse",
    re.IGNORECASE,
)


def functions(
    source: Source, reads: list[dict[str, Any]], scope: Scope
) -> dict[str, dict[str, Any]]:
    """Those that read a variable whose name is their parameter, and small ones that may hand the
    name on, by their qualified names."""
    taking = {
        one["function"]: one for one in reads if "of" not in one and has(one["parts"], "p")
    }  # fmt: skip
    handing = _handing(scope)
    found: dict[str, dict[str, Any]] = {}
    for function in functions_of(source):
        name = qualified(source, function) if taking or function in handing else ""
        if name not in taking and function not in handing:
            continue
        parameters = parameters_of(function)
        if not parameters:
            continue
        found[name] = {
            "parameters": parameters,
            "method": source.class_of(function) is not None and parameters[0] in ("self", "cls"),
            "defaults": {key: scope.value(value) for key, value in defaults_of(function)},
            "hands_on": [] if name in taking else handing[function],
            "casts": _casts(source, function),
        }
    return found


def _handing(scope: Scope) -> dict[Function, list[list[Any]]]:
    """Small functions, each with the calls that are given its own parameter as a name."""
    source = scope.source
    found: dict[Function, list[list[Any]]] = {}
    for call in source.nodes(ast.Call):
        names = {name for one in call.args[:2] for name in _handed_names(one)}
        names.update(name for word in call.keywords for name in _handed_names(word.value))
        if not names or not _READING.search(last_name(call.func)):
            continue
        function = source.function(call)
        if (
            function is None or (function.end_lineno or 0) - function.lineno > _SMALL
            or names.isdisjoint(parameters_of(function))
        ):  # fmt: skip
            continue
        callee = _callee(source, call)
        if not callee or callee.partition(".")[0] in _NOT_HANDED:
            continue
        arguments = _arguments(call, scope)
        if any(has(value["parts"], "p") for value in arguments.values()):
            found.setdefault(function, []).append([callee, arguments])
    return found


def _handed_names(node: ast.expr) -> Iterator[str]:
    """Names in an argument that may be, or be part of, the name of a variable."""
    if isinstance(node, ast.Name):
        if _PARAMETER.search(node.id):
            yield node.id
    elif isinstance(node, ast.JoinedStr):
        for one in node.values:
            if isinstance(one, ast.FormattedValue):
                yield from _handed_names(one.value)
    elif isinstance(node, ast.BinOp):
        yield from _handed_names(node.left)
        yield from _handed_names(node.right)


def _calls_in(function: Function) -> Iterator[ast.Call]:
    return (node for node in ast.walk(function) if isinstance(node, ast.Call))


def _casts(source: Source, function: Function) -> str:
    """The conversion a function makes without catching its error, else "". One that is caught
    tells that the others are of defaults."""
    found = ""
    for call in _calls_in(function):
        called = source.called(call)
        if called in ("int", "float", "json.loads"):
            if _in_try(source, call):
                return ""
            found = found or called
    return found


def _in_try(source: Source, node: ast.AST) -> bool:
    return any(isinstance(one, ast.Try) and catches(one) for one in source.parents(node))


def calls(source: Source, scope: Scope, reads: Reads) -> Iterator[list[Any]]:
    """Calls with an argument that may be the name of a variable."""
    known = {id(one.node) for one in reads.found}
    for call in source.nodes(ast.Call):
        if id(call) in known or not isinstance(call.func, (ast.Name, ast.Attribute)):
            continue
        given = [*call.args[:2], *(word.value for word in call.keywords)]
        named = [one for one in given if _may_name(one)]
        if not named or not (_reads_by_name(call.func) or isinstance(named[0], ast.Constant)):
            continue
        callee = _callee(source, call)
        if not callee or callee.startswith(("os.", "logging.", "print")):
            continue
        arguments = _arguments(call, scope)
        yield [
            callee, arguments, place(source, call), place(source, named[0]),
            import_time(source, call), source.symbol(call),
            " ".join(source.line(call.lineno).split()), _behind(source, scope, call),
        ]  # fmt: skip


def _reads_by_name(function: ast.expr) -> bool:
    """Whether what is called, or the object it belongs to, is named as something that reads."""
    last = last_name(function)
    if _READING.search(last):
        return True
    return isinstance(function, ast.Attribute) and bool(_READING.search(last_name(function.value)))


def _behind(source: Source, scope: Scope, call: ast.Call) -> list[Any] | None:
    """`default` of `read(name) or default`, with its place; None where other calls stand there."""
    parent = source.parent(call)
    if not isinstance(parent, ast.BoolOp) or not isinstance(parent.op, ast.Or):
        return None
    *_, before, last = parent.values
    if before is not call or sum(isinstance(one, ast.Call) for one in parent.values) > 1:
        return None
    return [scope.value(last), place(source, last)]


def _may_name(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and VARIABLE.match(node.value) is not None
    if isinstance(node, ast.Name):
        return node.id.isupper()
    if isinstance(node, ast.Attribute):
        return node.attr.isupper()
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(one, ast.Constant) and str(one.value).isupper()
                   for one in node.values)  # fmt: skip
    return False


def _arguments(call: ast.Call, scope: Scope) -> dict[str, dict[str, Any]]:
    """Positions ("0", "1") and keywords, each with its parts as a name and its value."""
    given: dict[str, ast.expr] = {str(at): one for at, one in enumerate(call.args[:4])}
    given.update({word.arg: word.value for word in call.keywords if word.arg})
    return {
        key: {
            "parts": scope.parts(node), "value": scope.value(node),
            "at": place(scope.source, node),
        }
        for key, node in given.items()
    }  # fmt: skip


def _callee(source: Source, call: ast.Call) -> str:
    """The called function's dotted name: of this module where it is not imported."""
    dotted = source.called(call)
    if not dotted or "()" in dotted:
        return ""
    first, _, rest = dotted.partition(".")
    if first in ("self", "cls"):
        around = source.class_of(call)
        return f"{source.module}.{source.symbol(around)}.{rest}" if around and rest else ""
    top = call.func
    while isinstance(top, ast.Attribute):
        top = top.value
    imported = isinstance(top, ast.Name) and top.id in source.imports
    return dotted if imported else f"{source.module}.{dotted}"


def passing(source: Source, reads: Reads, call: ast.Call) -> list[Any]:
    keys = [str(at) for at, one in enumerate(call.args) if reads.environ(one)]
    keys += [word.arg for word in call.keywords if word.arg and reads.environ(word.value)]
    return [_callee(source, call), keys]


def qualified(source: Source, function: Function) -> str:
    return f"{source.module}.{source.symbol(function)}"


def place(source: Source, node: ast.AST) -> list[int]:
    span = source.span(node)
    return [span.line, span.column, span.end_line, span.end_column]


def has(parts: Parts, kind: str) -> bool:
    return any(part[0] == kind for part in parts)
