"""Which names of a file stand for HTTP clients, and what calls through them.

Shared by the families that judge network calls. A name is known by what is assigned to it, by the
`with` that opens it, or by its annotation; never by how it is spelt.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from busctl.audit import FUNCTIONS, Source

SYNC = {"requests.Session", "requests.session", "requests.sessions.Session", "httpx.Client",
        "httpx2.Client", "urllib3.PoolManager", "niquests.Session"}  # fmt: skip
ASYNC = {"httpx.AsyncClient", "httpx2.AsyncClient", "aiohttp.ClientSession",
         "niquests.AsyncSession"}  # fmt: skip
_MODULES = {"requests", "httpx", "httpx2", "niquests"}
_LIBRARIES = {*_MODULES, "aiohttp", "urllib3"}
VERBS = {"get", "post", "put", "patch", "delete", "head", "options", "request"}
CHANGING = {"post", "put", "patch", "delete"}


@dataclass(frozen=True, slots=True)
class Sent:
    """An HTTP call: its verb in small letters ("request" when it is an argument), whether it is
    awaited, and the call that made the client, if the file shows it."""

    verb: str
    is_async: bool
    client: ast.Call | None = None


@lru_cache(maxsize=4)
def clients(source: Source) -> Mapping[tuple[str, str], tuple[str, ast.Call | None]]:
    """(function or class symbol, name) → (what it is an instance of, the call that made it)."""
    if not _uses_http(source):
        return {}
    found: dict[tuple[str, str], tuple[str, ast.Call | None]] = {}
    for name, value in _bound(source):
        if isinstance(value, ast.Call) and (kind := source.called(value)) in SYNC | ASYNC:
            found[_scope(source, name), source.dotted(name)] = (kind, value)
    for given in source.nodes(ast.arg):
        if given.annotation is not None and (kind := _annotated(source, given.annotation)):
            found[source.symbol(given), given.arg] = (kind, None)
    for note in source.nodes(ast.AnnAssign):
        if kind := _annotated(source, note.annotation):
            found.setdefault(
                (_scope(source, note.target), source.dotted(note.target)), (kind, None)
            )
    return found


@lru_cache(maxsize=4)
def _uses_http(source: Source) -> bool:
    return any(origin.partition(".")[0] in _LIBRARIES for origin in source.imports.values())


def _bound(source: Source) -> Iterator[tuple[ast.expr, ast.expr]]:
    for each in source.nodes(ast.Assign):
        for one in each.targets:
            yield one, each.value
    for note in source.nodes(ast.AnnAssign):
        if note.value is not None:
            yield note.target, note.value
    for item in source.nodes(ast.withitem):
        if item.optional_vars is not None:
            yield item.optional_vars, item.context_expr


def _scope(source: Source, name: ast.expr) -> str:
    """`self.x` belongs to the class, a name to its function."""
    if isinstance(name, ast.Attribute):
        around = source.class_of(name)
        return source.symbol(around) if around else ""
    return source.symbol(name)


def _annotated(source: Source, note: ast.expr) -> str:
    for one in ast.walk(note):
        if isinstance(one, (ast.Name, ast.Attribute)) and source.dotted(one) in SYNC | ASYNC:
            return source.dotted(one)
    return ""


def sent(source: Source, call: ast.Call) -> Sent | None:
    """The HTTP call that this is, None when it is none that the file shows."""
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr not in VERBS or not _uses_http(source):
        return None
    owner = source.dotted(func.value)
    if owner in _MODULES:
        return Sent(_verb(call, func.attr), is_async=False)
    kind, made = _client(source, func.value, owner)
    return Sent(_verb(call, func.attr), kind in ASYNC, made) if kind else None


def _client(source: Source, value: ast.expr, owner: str) -> tuple[str, ast.Call | None]:
    if isinstance(value, ast.Call) and source.called(value) in SYNC | ASYNC:
        return source.called(value), value
    if not owner:
        return "", None
    known = clients(source)
    for around in source.parents(value):
        if isinstance(around, (*FUNCTIONS, ast.ClassDef)):
            key = (source.symbol(around), owner)
            if key in known:
                return known[key]
    return known.get(("", owner), ("", None))


def _verb(call: ast.Call, name: str) -> str:
    if name != "request":
        return name
    given = call.args[0] if call.args else next(
        (word.value for word in call.keywords if word.arg == "method"), None
    )  # fmt: skip
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return given.value.lower()
    return "request"
