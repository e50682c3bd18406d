"""What blocks in each plain function, and whom the functions call: to look through calls."""

from __future__ import annotations

import ast
import sys
from collections import deque
from typing import Any

from audits.asynchrony.blocking import DISK, before_serving, blocks
from audits.callees import Functions, callees
from audits.names import is_test, symbols, target
from busctl.audit import Facts, Project, Source

MOST_HOPS = 4
_STAGED = frozenset({"debug", "crash", "test", "tests", "fake", "mock", "simulate", "inject"})
"""Words of functions that wait on purpose, for a test or a look at what goes wrong."""
_THIN = {
    "sqlite3.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "input",
    "getpass.getpass",
}


_PLATFORM = {"sys.platform", "os.name", "platform.system"}


class Reach(Facts):
    """`blocks`: plain functions → the first call that blocks, and its line; `calls`: plain
    functions → project functions they call; `enters`: the calls of plain functions made in async
    ones that serve, as [target, symbol, line, column, end line, end column]."""

    def collect(self, source: Source) -> Any:
        if is_test(source) or source.is_shown:
            return None
        first: dict[str, list[Any]] = {}
        calls: dict[str, list[str]] = {}
        enters: list[list[Any]] = []
        for call in source.nodes(ast.Call):
            named = _project_name(source, call)
            found = blocks(source, call)
            around = source.function(call) if named or found else None
            if around is None or _STAGED & set(around.name.split("_")):
                continue
            if isinstance(around, ast.AsyncFunctionDef):
                waited = isinstance(source.parent(call), ast.Await)
                if named and not waited and not before_serving(source, call, around):
                    enters.append(_entry(source, call, named))
                continue
            symbol = f"{source.module}.{symbols(source)[around]}"
            if found and found[1] != DISK and found[0] not in _THIN:
                if not _rare(source, call, around):
                    first.setdefault(symbol, [found[0], found[1], call.lineno])
            elif named and not _rare(source, call, around):
                calls.setdefault(symbol, []).append(named)
        if not (first or calls or enters):
            return None
        return {"blocks": first, "calls": calls, "enters": enters}


def _project_name(source: Source, call: ast.Call) -> str:
    """The absolute name of a called function that the project may define."""
    named = target(source, call)
    return "" if not named or named.partition(".")[0] in sys.stdlib_module_names else named


def _entry(source: Source, call: ast.Call, named: str) -> list[Any]:
    span = source.span(call)
    return [named, source.symbol(call), span.line, span.column, span.end_line, span.end_column]


def _rare(source: Source, call: ast.Call, around: ast.AST) -> bool:
    """Whether it runs only when something failed, on some systems, or not on the loop's thread."""
    for outer in source.parents(call):
        if outer is around:
            return False
        if isinstance(outer, (ast.ExceptHandler, ast.Lambda)):
            return True
        if isinstance(outer, ast.If) and any(
            isinstance(one, ast.Attribute) and source.dotted(one) in _PLATFORM
            for one in ast.walk(outer.test)
        ):
            return True
    return False


class Reached:
    """The blocking calls that plain functions reach."""

    def __init__(self, project: Project) -> None:
        self._known = callees(project)
        self._blocks: dict[str, list[Any]] = {}
        self._calls: dict[str, list[str]] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        for facts in project.facts(Reach).values():
            self._blocks.update(facts["blocks"])
            self._calls.update(facts["calls"])

    def path(self, name: str) -> tuple[str, ...]:
        """The shortest way from a function to a blocking call: the functions, then the call and
        what it waits for. Empty when there is none within MOST_HOPS."""
        start = self._known.find(name)
        if not start or self._known.is_async(start):
            return ()
        if start not in self._paths:
            self._paths[start] = self._searched(start)
        return self._paths[start]

    def _searched(self, start: str) -> tuple[str, ...]:
        waiting: deque[tuple[str, ...]] = deque([(start,)])
        seen = {start}
        while waiting:
            way = waiting.popleft()
            if way[-1] in self._blocks:
                name, waits_for, _ = self._blocks[way[-1]]
                return (*way, name, waits_for)
            if len(way) >= MOST_HOPS:
                continue
            for called in self._calls.get(way[-1], ()):
                found = self._known.find(called)
                if found and found not in seen and not self._known.is_async(found):
                    seen.add(found)
                    waiting.append((*way, found))
        return ()


def reached(project: Project) -> Reached:
    """The search, made once a run."""
    made: Reached = project.once(Reached)
    return made


NEEDS: tuple[type[Facts], ...] = (Functions, Reach)
