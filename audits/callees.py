"""Which function of the project a call means, and whether that function keeps its own errors.

Shared by the families that look across files. Names are absolute (`package.module.Class.method`)
as far as one file can tell; `Callees` finds them among the facts of all files.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from busctl.audit import FUNCTIONS, Facts, Function, Project, Source

BROAD = {"Exception", "BaseException"}
_CANNOT_FAIL = {"asyncio.sleep", "anyio.sleep", "trio.sleep", "asyncio.wait"}
_WAITS = {"wait", "join", "acquire", "wait_closed"}
_LIGHT = {
    "isinstance", "len", "getattr", "hasattr", "str", "int", "repr", "time", "monotonic", "get",
    "perf_counter", "now", "utcnow", "debug", "info", "warning", "error", "exception", "log",
    "print", "set", "clear", "is_set", "copy", "format", "join", "strip", "lower", "dict", "list",
    "sleep", "append", "wait",
}  # fmt: skip
_KEEPS_ASYNC = {
    "staticmethod", "classmethod", "override", "abstractmethod", "overload", "final", "wraps",
}  # fmt: skip
_MOST_STEPS = 6


# --- one file ---------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def definitions(source: Source) -> Mapping[str, Function]:
    """The functions of a file by their qualified name in it, the last of each name."""
    return {source.symbol(node): node for node in source.nodes(*FUNCTIONS)}


@lru_cache(maxsize=4)
def _classes(source: Source) -> frozenset[str]:
    return frozenset(source.symbol(node) for node in source.nodes(ast.ClassDef))


def target(source: Source, call: ast.Call) -> str:
    """The absolute name of what is called, "" when the file does not show it. A name from another
    library is one too: nobody defines it in the project."""
    func = call.func
    if isinstance(func, ast.Name):
        return _named(source, call, func.id)
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        return _of_owner(source, call, func.value.id, func.attr)
    if isinstance(func, ast.Attribute) and _top(func) in source.imports:
        return source.dotted(func)
    return ""


def _top(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _named(source: Source, call: ast.Call, name: str) -> str:
    known = definitions(source)
    for around in source.parents(call):
        if isinstance(around, FUNCTIONS):
            if name in parameters(around):
                return ""
            inner = f"{source.symbol(around)}.{name}"
            if inner in known:
                return f"{source.module}.{inner}"
    if name in known:
        return f"{source.module}.{name}"
    return source.imports.get(name, "")


def _of_owner(source: Source, call: ast.Call, owner: str, attribute: str) -> str:
    if owner in ("self", "cls"):
        around = source.class_of(call)
        return f"{source.module}.{source.symbol(around)}.{attribute}" if around else ""
    if owner in _classes(source):
        return f"{source.module}.{owner}.{attribute}"
    if owner in source.imports:
        return f"{source.imports[owner]}.{attribute}"
    return ""


def parameters(function: Function) -> set[str]:
    """The names of all parameters."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return {one.arg for one in every if one is not None}


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether it catches everything, or all of Exception."""
    if handler.type is None:
        return True
    named = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(one, ast.Name) and one.id in BROAD for one in named)


def keeps(node: ast.Try) -> bool:
    """Whether a failure of its body stays inside: a broad handler that does not raise."""
    return any(
        is_broad(handler) and not any(isinstance(one, ast.Raise) for one in handler.body)
        for handler in node.handlers
    )


def sheltered(source: Source, node: ast.AST, function: Function) -> bool:
    """Whether the function keeps what fails at this node."""
    inner = node
    for around in source.parents(node):
        if around is function:
            return False
        if isinstance(around, ast.Try) and inner in around.body and keeps(around):
            return True
        inner = around
    return False


class Functions(Facts):
    """`functions`: by absolute name `async` and `open`, the calls whose failure leaves it ("?" for
    what cannot be named); `bases` of classes; `exports`, the names a package passes on."""

    def collect(self, source: Source) -> Any:
        known = definitions(source)
        exits = _exits(source)
        functions = {}
        for symbol, node in known.items():
            is_async = isinstance(node, ast.AsyncFunctionDef)
            functions[f"{source.module}.{symbol}"] = {
                "async": is_async and not _decorated(node) and not exits[node]["yields"],
                "open": sorted(exits[node]["open"]),
            }
        bases = {
            f"{source.module}.{source.symbol(node)}": [
                base for one in node.bases if (base := absolute(source, one))
            ]
            for node in source.nodes(ast.ClassDef)
        }
        exports = _exports(source)
        if not (functions or bases or exports):
            return None
        return {"functions": functions, "bases": bases, "exports": exports}


def absolute(source: Source, node: ast.expr) -> str:
    """The absolute name of a class named in this file; "" for what is no name."""
    if isinstance(node, ast.Subscript):
        node = node.value
    name = source.dotted(node)
    return f"{source.module}.{name}" if name in _classes(source) else name


def _exports(source: Source) -> dict[str, str]:
    if not source.path.endswith("__init__.py"):
        return {}
    return {
        f"{source.module}.{name}": origin
        for name, origin in source.imports.items()
        if "." in origin and origin != f"{source.module}.{name}"
    }


def _decorated(node: Function) -> bool:
    """Whether a decorator may turn it into something that needs no await."""
    for decorator in node.decorator_list:
        inner = decorator.func if isinstance(decorator, ast.Call) else decorator
        last = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")
        if last not in _KEEPS_ASYNC:
            return True
    return False


def _exits(source: Source) -> dict[Function, dict[str, Any]]:
    """What leaves each function: of async ones by their awaits, of others by their shape."""
    found: dict[Function, dict[str, Any]] = {
        node: {"open": set(), "yields": False, "waits": False} for node in source.nodes(*FUNCTIONS)
    }
    for waiting in source.nodes(ast.Await, ast.AsyncFor, ast.AsyncWith):
        around = source.function(waiting)
        if around is None or around not in found:
            continue
        found[around]["waits"] = True
        if not sheltered(source, waiting, around) and (name := _failing(source, waiting)):
            found[around]["open"].add(name)
    for given in source.nodes(ast.Yield, ast.YieldFrom):
        around = source.function(given)
        if around in found:
            found[around]["yields"] = True
    for node, said in found.items():
        if not said["waits"] and not contained(node):
            said["open"].add("?")
    return found


def _failing(source: Source, waiting: ast.AST) -> str:
    """The name of what may fail there; "" for waits that do not."""
    if not isinstance(waiting, ast.Await):
        return "?"
    call = waiting.value
    if not isinstance(call, ast.Call):
        return "?"
    if source.called(call) in _CANNOT_FAIL:
        return ""
    if isinstance(call.func, ast.Attribute) and call.func.attr in _WAITS and not call.args:
        return ""
    return target(source, call) or "?"


def contained(function: Function) -> bool:
    """Whether everything of weight in it stands in a try that keeps its failures."""
    tries = [one for one in _statements(function.body) if isinstance(one, ast.Try) and keeps(one)]
    return bool(tries) and _contained(function.body)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for one in body:
        yield one
        for inner in ("body", "orelse"):
            if not isinstance(one, (*FUNCTIONS, ast.ClassDef)):
                yield from _statements(getattr(one, inner, []))


def _contained(body: list[ast.stmt]) -> bool:
    return all(_is_contained(one) for one in body)


def _is_contained(one: ast.stmt) -> bool:
    if isinstance(one, ast.Try):
        return keeps(one) or (_contained(one.body) and _contained(one.finalbody))
    if isinstance(one, (ast.If, ast.While)):
        return light(one.test) and _contained(one.body) and _contained(one.orelse)
    if isinstance(one, (ast.For, ast.With)):
        return _contained(one.body)
    if isinstance(one, (*FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom)):
        return True
    return light(one)


def light(node: ast.AST) -> bool:
    """Whether nothing in it is likely to fail: no calls but looking, logging and clocks."""
    for inner in ast.walk(node):
        if isinstance(inner, (ast.Await, ast.Raise)):
            return False
        if isinstance(inner, ast.Call):
            func = inner.func
            last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            if last not in _LIGHT:
                return False
    return True


# --- all files --------------------------------------------------------------------------------


class Callees:
    """The functions of the whole project by absolute name."""

    def __init__(self, project: Project) -> None:
        self._functions: dict[str, Mapping[str, Any]] = {}
        self._bases: dict[str, list[str]] = {}
        self._exports: dict[str, str] = {}
        for facts in project.facts(Functions).values():
            self._functions.update(facts["functions"])
            self._bases.update(facts["bases"])
            self._exports.update(facts["exports"])
        self._by_last: dict[str, list[str]] = {}
        for name in (*self._functions, *self._bases):
            self._by_last.setdefault(name.rpartition(".")[2], []).append(name)
        self._kept: dict[str, bool | None] = {}

    def find(self, name: str) -> str:
        """The name under which the project defines it; "" when it does not."""
        return self._find(name, 0)

    def _find(self, name: str, step: int) -> str:
        if not name or step > _MOST_STEPS:
            return ""
        if name in self._functions:
            return name
        if name in self._exports:
            return self._find(self._exports[name], step + 1)
        return self._inherited(name, step) or self._below(name)

    def _inherited(self, name: str, step: int) -> str:
        """A method that a base class defines."""
        owner, _, method = name.rpartition(".")
        for base in self._bases.get(owner, ()):
            if found := self._find(f"{base}.{method}", step + 1):
                return found
        return ""

    def _below(self, name: str) -> str:
        """The one that a folder above the import root hides: `backend.app.x` for `app.x`."""
        if "." not in name:
            return ""
        ends = f".{name}"
        found = [one for one in self._by_last.get(name.rpartition(".")[2], ()) if one.endswith(ends)]
        return found[0] if len(found) == 1 and found[0] in self._functions else ""

    def is_async(self, name: str) -> bool:
        """Whether calling the function of this (found) name gives a coroutine."""
        return bool(self._functions[name]["async"])

    def named(self, last: str) -> list[str]:
        """All functions of the project whose own name this is."""
        return [one for one in self._by_last.get(last, ()) if one in self._functions]

    def keeps_errors(self, name: str) -> bool | None:
        """Whether no failure leaves it; None when the project does not define it."""
        found = self.find(name)
        return self._keeps(found, 0) if found else None

    def _keeps(self, found: str, step: int) -> bool:
        known = self._kept.get(found)
        if known is None:
            self._kept[found] = False  # what calls itself proves nothing
            known = self._kept[found] = step < _MOST_STEPS and all(
                inner != "?" and bool(at := self.find(inner)) and self._keeps(at, step + 1)
                for inner in self._functions[found]["open"]
            )
        return known

    def leaves_by(self, name: str) -> str:
        """The first call that a failure leaves it by, "" when that has no name."""
        found = self.find(name)
        named = [one for one in self._functions[found]["open"] if one != "?"] if found else []
        return named[0] if named else ""


def callees(project: Project) -> Callees:
    """The index, made once a run."""
    made = project.once(Callees)
    assert isinstance(made, Callees)
    return made
