"""A call of an async function that nobody awaits."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from audits.callees import Functions, callees
from audits.names import definitions, target
from busctl.audit import Confidence, Finding, Project, Rule, Severity, Source


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
    needs = (Functions,)
    GOOD = (
        "async def save(row):\n    await db.insert(row)\n\nasync def handle(row):\n"
        "    await save(row)\n",
        "async def save(row):\n    await db.insert(row)\n\ndef saving(row):\n"
        "    return save(row)\n",
        "import functools\n\n@functools.partial(run_in_loop)\nasync def save(row):\n"
        "    await db.insert(row)\n\ndef handle(row):\n    save(row)\n",
        "async def save(row):\n    await db.insert(row)\n\ndef handle(save, row):\n    save(row)\n",
    )
    BAD = (
        "async def save(row):\n    await db.insert(row)\n\nasync def handle(row):\n    save(row)\n"
        "    return 'saved'\n",
        "class Guard:\n    async def allowed(self, user):\n        return await self.ask(user)\n\n"
        "    async def open(self, user):\n        if not self.allowed(user):\n"
        "            raise PermissionError(user)\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for call in source.nodes(ast.Call):
            how = _how(source, call)
            if how and (named := target(source, call)) and _may_be_async(source, named):
                yield self._found(source, call, named, how)

    def _found(self, source: Source, call: ast.Call, named: str, how: str) -> Finding:
        shown, where = source.called(call), source.symbol(call)
        lost = (
            f"`{shown}()` gives a coroutine, which is always true: {where} takes every case for a"
            " yes and the function never runs."
            if how == "condition" else
            f"`{shown}()` never runs: {where} goes on as if it had been done, and only a warning"
            " of the collector hints at it."
        )  # fmt: skip
        return self.finding(
            source, call, lost, confidence=Confidence.HIGH,
            evidence=(f"{named} is async and not awaited",), asks={"target": named},
        )  # fmt: skip

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        known = callees(project)
        found = known.find(finding.asks["target"])
        return finding if found and known.is_async(found) else None


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
