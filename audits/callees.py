"""Which function of the project a call means, and whether that function keeps its own errors.

Shared by the families that look across files. Names are absolute (`package.module.Class.method`)
as far as one file can tell; `Callees` finds them among the facts of all files.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
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
_SAID = {"warning", "error", "exception", "critical", "print_exc"}
_OWN = ("self", "cls")
_MOST_STEPS = 6
_MOST_CALLS = 4
_MOST_LINES = 15


# --- one file ---------------------------------------------------------------------------------


def functions(source: Source) -> Iterator[Function]:
    """Every function of a file, plain ones first."""
    yield from source.nodes(ast.FunctionDef)
    yield from source.nodes(ast.AsyncFunctionDef)


@lru_cache(maxsize=4)
def is_test(source: Source) -> bool:
    """Whether the file is one of tests, by its path or by what it imports."""
    return source.is_test or any(
        origin.partition(".")[0] in ("pytest", "unittest") for origin in source.imports.values()
    )


@lru_cache(maxsize=4)
def _by_last(source: Source) -> Mapping[str, list[ast.Call]]:
    found: dict[str, list[ast.Call]] = {}
    for call in source.nodes(ast.Call):
        func = call.func
        if isinstance(func, ast.Attribute):
            found.setdefault(func.attr, []).append(call)
        elif isinstance(func, ast.Name):
            found.setdefault(source.imports.get(func.id, func.id).rpartition(".")[2], []).append(
                call
            )
    return found


def calls_of(source: Source, lasts: Iterable[str]) -> Iterator[ast.Call]:
    """The calls whose last name, as it is defined, is one of these: `run` for `subprocess.run`."""
    found = _by_last(source)
    for last in lasts:
        yield from found.get(last, ())


@lru_cache(maxsize=4)
def symbols(source: Source) -> Mapping[Function, str]:
    """The qualified name in the file of each function."""
    return {node: source.symbol(node) for node in functions(source)}


@lru_cache(maxsize=4)
def definitions(source: Source) -> Mapping[str, Function]:
    """The functions of a file by their qualified name in it, the last of each name."""
    return {symbol: node for node, symbol in symbols(source).items()}


@lru_cache(maxsize=4)
def _own_names(source: Source) -> frozenset[str]:
    """What functions of the file are called: other names need no search through scopes."""
    return frozenset(node.name for node in functions(source))


@lru_cache(maxsize=4)
def _class_symbols(source: Source) -> Mapping[ast.ClassDef, str]:
    return {node: source.symbol(node) for node in source.nodes(ast.ClassDef)}


@lru_cache(maxsize=4)
def _classes(source: Source) -> frozenset[str]:
    return frozenset(_class_symbols(source).values())


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
    known, names = definitions(source), _own_names(source)
    if name not in names:
        return source.imports.get(name, "")
    for around in source.parents(call):
        if isinstance(around, FUNCTIONS):
            if name in parameters(around):
                return ""
            inner = f"{symbols(source)[around]}.{name}"
            if inner in known:
                return f"{source.module}.{inner}"
    if name in known:
        return f"{source.module}.{name}"
    return source.imports.get(name, "")


def _of_owner(source: Source, call: ast.Call, owner: str, attribute: str) -> str:
    if owner in _OWN:
        around = source.class_of(call)
        return f"{source.module}.{_class_symbols(source)[around]}.{attribute}" if around else ""
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
        is_broad(handler)
        and not any(isinstance(one, ast.Raise) for each in handler.body for one in ast.walk(each))
        for handler in node.handlers
    )


def tells(node: ast.Try) -> bool:
    """Whether a failure of its body is kept, or said in a log before it goes on."""
    return keeps(node) or any(
        isinstance(one, ast.Call) and _called_last(one) in _SAID
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


class Functions(Facts):
    """`functions`: by absolute name `async` and `open`, the calls whose failure leaves it (`self.x`
    for the object's own, "?" for what cannot be named); `bases` of classes; `exports`, the names a
    package passes on."""

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
            f"{source.module}.{symbol}": [
                base for one in node.bases if (base := absolute(source, one))
            ]
            for node, symbol in _class_symbols(source).items()
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
        node: {"open": set(), "yields": False, "waits": False, "kept": 0}
        for node in functions(source)
    }
    for waiting in source.nodes(ast.Await, ast.AsyncFor, ast.AsyncWith):
        around = source.function(waiting)
        if around is None or around not in found:
            continue
        found[around]["waits"] = True
        if sheltered(source, waiting, around):
            found[around]["kept"] += 1
        elif name := _failing(source, waiting):
            found[around]["open"].add(name)
    for given in source.nodes(ast.Yield, ast.YieldFrom):
        around = source.function(given)
        if around in found:
            found[around]["yields"] = True
    for node, said in found.items():
        if said["kept"] and 2 * said["kept"] >= len(said["open"]):
            said["open"].clear()  # the work is sheltered, what stands outside prepares it
        if not said["waits"] and not contained(node):
            said["open"].update(_leaving(source, node))
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
    return _name_of(source, call)


def _name_of(source: Source, call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") in _OWN:
        return f"self.{call.func.attr}"
    return target(source, call) or "?"


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
    """The calls that stand in a try that keeps their failures."""
    found = 0
    for one in body:
        if isinstance(one, ast.Try) and tells(one):
            found += _calls([one])
        elif not isinstance(one, (*FUNCTIONS, ast.ClassDef)):
            found += _kept_calls(getattr(one, "body", [])) + _kept_calls(getattr(one, "orelse", []))
    return found


def _leaving(source: Source, function: Function) -> set[str]:
    """The calls of a small plain function by name: what fails in them leaves it."""
    if (function.end_lineno or 0) - function.body[0].lineno > _MOST_LINES:
        return {"?"}
    found: set[str] = set()
    for one in ast.walk(function):
        if isinstance(one, ast.Raise):
            return {"?"}
        if isinstance(one, ast.Call) and _called_last(one) not in _LIGHT:
            found.add(_name_of(source, one))
        if len(found) > _MOST_CALLS:
            return {"?"}
    return found


def _contained(body: list[ast.stmt]) -> bool:
    return all(_is_contained(one) for one in body)


def _is_contained(one: ast.stmt) -> bool:
    if isinstance(one, ast.Try):
        return tells(one) or (_contained(one.body) and _contained(one.finalbody))
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
        if isinstance(inner, ast.Call) and _called_last(inner) not in _LIGHT:
            return False
    return True


def _called_last(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


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
        self._kept: dict[tuple[str, str], bool] = {}

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
        found = [
            one for one in self._by_last.get(name.rpartition(".")[2], ()) if one.endswith(ends)
        ]
        return found[0] if len(found) == 1 and found[0] in self._functions else ""

    def is_async(self, name: str) -> bool:
        """Whether calling the function of this (found) name gives a coroutine."""
        return bool(self._functions[name]["async"])

    def named(self, last: str) -> list[str]:
        """All functions of the project whose own name this is."""
        return [one for one in self._by_last.get(last, ()) if one in self._functions]

    def keeps_errors(self, name: str) -> bool | None:
        """Whether no failure leaves it; None when the project does not define it. A method is
        judged with the overrides of the class it is named by."""
        found = self.find(name)
        return self._keeps(found, name.rpartition(".")[0], 0) if found else None

    def _keeps(self, found: str, owner: str, step: int) -> bool:
        key = (found, owner)
        known = self._kept.get(key)
        if known is None:
            self._kept[key] = False  # what calls itself proves nothing
            known = self._kept[key] = step < _MOST_STEPS and all(
                self._keeps_inner(inner, owner, step) for inner in self._functions[found]["open"]
            )
        return known

    def _keeps_inner(self, inner: str, owner: str, step: int) -> bool:
        if inner == "?":
            return False
        name, own = self._seen_from(inner, owner)
        found = self.find(name)
        return bool(found) and self._keeps(found, own, step + 1)

    def _seen_from(self, inner: str, owner: str) -> tuple[str, str]:
        """The absolute name of a call, and the class whose overrides count behind it."""
        if inner.startswith("self."):
            return f"{owner}.{inner.removeprefix('self.')}", owner
        return inner, inner.rpartition(".")[0]

    def leaves_by(self, name: str) -> str:
        """The first call that a failure leaves it by, "" when that has no name."""
        found, owner = self.find(name), name.rpartition(".")[0]
        if not found:
            return ""
        return next(
            (
                one.rpartition(".")[2] for one in self._functions[found]["open"]
                if one != "?" and not self._keeps_inner(one, owner, 0)
            ),
            "",
        )  # fmt: skip


def callees(project: Project) -> Callees:
    """The index, made once a run."""
    made: Callees = project.once(Callees)
    return made
