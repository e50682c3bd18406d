"""The functions of the project: which of them lets its errors out, and which is a coroutine.

Names are absolute (`package.module.Class.method`) as far as one file can tell; `Callees` finds
them among the facts of all files.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from audits.names import (
    OWN,
    absolute,
    class_symbols,
    definitions,
    functions,
    target,
)
from audits.shelter import contained, expected, light_call, sheltered
from busctl.audit import Facts, Function, Project, Source

_CANNOT_FAIL = {"asyncio.sleep", "anyio.sleep", "trio.sleep", "asyncio.wait"}
_WAITS = {"wait", "join", "acquire", "wait_closed"}
_KEEPS_ASYNC = {
    "staticmethod", "classmethod", "override", "abstractmethod", "overload", "final", "wraps",
}  # fmt: skip
_MOST_STEPS = 6
_MOST_CALLS = 4
_MOST_LINES = 15


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
                "expects": exits[node]["expects"] and not exits[node]["bare"],
            }
        bases = {
            f"{source.module}.{symbol}": [
                base for one in node.bases if (base := absolute(source, one))
            ]
            for node, symbol in class_symbols(source).items()
        }
        exports = _exports(source)
        if not (functions or bases or exports):
            return None
        return {"functions": functions, "bases": bases, "exports": exports}


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
        node: {
            "open": set(),
            "yields": False,
            "waits": False,
            "kept": 0,
            "expects": False,
            "bare": False,
        }
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
            found[around]["expects" if expected(source, waiting, around) else "bare"] = True
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
    if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") in OWN:
        return f"self.{call.func.attr}"
    return target(source, call) or "?"


def _leaving(source: Source, function: Function) -> set[str]:
    """The calls of a small plain function by name: what fails in them leaves it."""
    if (function.end_lineno or 0) - function.body[0].lineno > _MOST_LINES:
        return {"?"}
    found: set[str] = set()
    for one in ast.walk(function):
        if isinstance(one, ast.Raise):
            return {"?"}
        if isinstance(one, ast.Call) and not light_call(one):
            found.add(_name_of(source, one))
        if len(found) > _MOST_CALLS:
            return {"?"}
    return found


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
        self._found: dict[str, str] = {}

    def find(self, name: str) -> str:
        """The name under which the project defines it; "" when it does not."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._find(name, 0)
        return found

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

    def expects(self, name: str) -> bool:
        """Whether each wait of it that may fail has a handler for the errors it expects."""
        found = self.find(name)
        return bool(found) and bool(self._functions[found]["expects"])

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
