"""A call of an async function that nobody awaits."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from typing import Any

from audits.callees import Functions, callees
from audits.names import definitions, target
from busctl.audit import (
    Confidence,
    Facts,
    Finding,
    Project,
    Rule,
    Severity,
    Source,
    Span,
    walk,
)

_TOLD = re.compile(
    r"#\s*(?:type|pyright|mypy|ty|noqa)\b.*(?:unused-coroutine|reportUnusedCoroutine)"
)


class LeftCalls(Facts):
    """By absolute name, the calls whose result nobody takes, as [how, as written, symbol, line,
    column, end line, end column]. Nearly all are of plain functions: a row here costs little,
    a finding that waits for the whole project much."""

    def collect(self, source: Source) -> Any:
        found: dict[str, list[list[Any]]] = {}
        for call in source.nodes(ast.Call):
            how = _how(source, call)
            if (
                how and (named := target(source, call)) and _may_be_async(source, named)
                and not _is_meant(source, call)
            ):  # fmt: skip
                span = source.span(call)
                place = [span.line, span.column, span.end_line, span.end_column]
                row = [how, source.called(call), source.symbol(call), *place]
                found.setdefault(named, []).append(row)
        return found or None


def _is_meant(source: Source, call: ast.Call) -> bool:
    """A type checker was told of it there, or it runs in the branch of a code base that is made
    for both worlds where nothing is awaited: `if _IS_SYNC:`."""
    if _TOLD.search(source.line(call.lineno)):
        return True
    inner: ast.AST = call
    for around in source.parents(call):
        if isinstance(around, ast.If) and inner in around.body and _asks_sync(around.test):
            return True
        inner = around
    return False


def _asks_sync(test: ast.expr) -> bool:
    return any(
        isinstance(node, (ast.Name, ast.Attribute))
        and "sync" in getattr(node, "id", getattr(node, "attr", "")).lower().split("_")
        for node in walk(test)
    )


class CoroutineNotAwaited(Rule):
    code = "SF025"
    name = "coroutine-not-awaited"
    family = "silent"
    severity = Severity.ERROR
    summary = "An async function is called without await."
    why = (
        "Nothing in it ever runs: Python only warns when the coroutine is collected. In a condition"
        " the coroutine is always true, so a check of permission or limits always passes."
    )
    remedy = "Await the call, or start it as a task that somebody examines."
    needs = (Functions, LeftCalls)
    GOOD = (
        "async def save(row):\n    await db.insert(row)\n\nasync def handle(row):\n"
        "    await save(row)\n",
        "async def save(row):\n    await db.insert(row)\n\ndef saving(row):\n"
        "    return save(row)\n",
        "import functools\n\n@functools.partial(run_in_loop)\nasync def save(row):\n"
        "    await db.insert(row)\n\ndef handle(row):\n    save(row)\n",
        "async def save(row):\n    await db.insert(row)\n\ndef handle(save, row):\n    save(row)\n",
        "async def save(row):\n    await db.insert(row)\n\ndef handle(row):\n"
        "    save(row)  # type: ignore[unused-coroutine]\n",
        "async def save(row):\n    await db.insert(row)\n\ndef handle(row):\n"
        "    if _IS_SYNC:\n        save(row)\n",
    )
    BAD = (
        "async def save(row):\n    await db.insert(row)\n\nasync def handle(row):\n    save(row)\n"
        "    return 'saved'\n",
        "class Guard:\n    async def allowed(self, user):\n        return await self.ask(user)\n\n"
        "    async def open(self, user):\n        if not self.allowed(user):\n"
        "            raise PermissionError(user)\n",
    )

    def check_project(self, project: Project) -> Iterator[Finding]:
        known = callees(project)
        for path, called in sorted(project.facts(LeftCalls).items()):
            for named, calls in called.items():
                found = known.find(named)
                if found and known.is_async(found):
                    yield from (self._found(path, named, one) for one in calls)

    def _found(self, path: str, named: str, call: list[Any]) -> Finding:
        how, shown, where, *span = call
        lost = (
            f"`{shown}()` gives a coroutine, which is always true: {where} takes every case for a"
            " yes and the function never runs."
            if how == "condition" else
            f"`{shown}()` never runs: {where} goes on as if it had been done, and only a warning"
            " of the collector hints at it."
        )  # fmt: skip
        return Finding(
            code=self.code, name=self.name, path=path, span=Span(*span), message=lost,
            severity=self.severity, confidence=Confidence.HIGH, remedy=self.remedy,
            evidence=(f"{named} is async and not awaited",), symbol=where, anchor=f"{shown}()",
        )  # fmt: skip


def _may_be_async(source: Source, named: str) -> bool:
    """Not the standard library's, and not a plain function of this file."""
    here = definitions(source).get(named.removeprefix(f"{source.module}."))
    if here is not None:
        return isinstance(here, ast.AsyncFunctionDef)
    return named.partition(".")[0] not in sys.stdlib_module_names


def _how(source: Source, call: ast.Call) -> str:
    """ "dropped", "condition", or "" when the coroutine may be awaited elsewhere."""
    holder = source.parent(call)
    if isinstance(holder, ast.Expr):
        return "dropped"
    if isinstance(holder, (ast.If, ast.While)) and holder.test is call:
        return "condition"
    if isinstance(holder, ast.UnaryOp) and isinstance(holder.op, ast.Not):
        return "condition"
    return ""
