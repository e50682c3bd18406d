"""Errors that gather returns as values, and nobody looks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from audits.callees import Functions, callees
from audits.names import calls_of, is_test, target
from audits.silent.clean_up import is_clean_up
from busctl.audit import Confidence, Finding, Function, Project, Rule, Source, walk

_WRAPPERS = {"wait_for", "shield", "run_until_complete", "run", "list", "tuple"}
_ERRORS = {"Exception", "BaseException"}
_LOOKS = {"enumerate", "zip", "len", "list", "tuple", "sum", "reversed", "filter", "map"}


class GatheredErrorsUnseen(Rule):
    code = "SF021"
    name = "gathered-errors-unseen"
    family = "silent"
    summary = "gather(return_exceptions=True) and nobody looks for the exceptions."
    why = (
        "The failures come back as values among the answers. Where nobody asks which are"
        " exceptions, the failed calls count as done, or their exception goes on as an answer."
    )
    remedy = (
        "Look at each result with isinstance(result, BaseException) and log or raise it; or leave"
        " return_exceptions out, or use a TaskGroup."
    )
    needs = (Functions,)
    GOOD = (
        "import asyncio\n\nasync def send_all(calls):\n"
        "    results = await asyncio.gather(*calls, return_exceptions=True)\n"
        "    for result in results:\n        if isinstance(result, Exception):\n"
        "            log.error('not sent: %r', result)\n",
        "import asyncio\n\nasync def stop(self):\n    for task in self.tasks:\n"
        "        task.cancel()\n    await asyncio.gather(*self.tasks, return_exceptions=True)\n",
        "import asyncio\n\nasync def ask(calls):\n"
        "    return await asyncio.gather(*calls, return_exceptions=True)\n",
        "import asyncio\n\nasync def one(url):\n    try:\n        await fetch(url)\n"
        "    except Exception:\n        log.exception('not fetched')\n\nasync def every(urls):\n"
        "    await asyncio.gather(*(one(url) for url in urls), return_exceptions=True)\n",
    )
    BAD = (
        "import asyncio\n\nasync def send_all(rows):\n"
        "    await asyncio.gather(*[send(row) for row in rows], return_exceptions=True)\n",
        "import asyncio\n\nasync def every(calls):\n"
        "    results = await asyncio.gather(*calls, return_exceptions=True)\n"
        "    return [one for one in results if not isinstance(one, Exception)]\n",
        "import asyncio\n\nasync def total(calls):\n    total = 0\n"
        "    results = await asyncio.gather(*calls, return_exceptions=True)\n"
        "    for one in results:\n        if one:\n            total += 1\n    return total\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source):
            return
        for call in calls_of(source, ("gather",)):
            if _gathers(source, call) and (found := self._judged(source, call)):
                yield found

    def _judged(self, source: Source, call: ast.Call) -> Finding | None:
        around = source.function(call)
        holder = _holder(source, call)
        if around is None or is_clean_up(source, call, around) or _ends_tasks(around):
            return None
        where = source.symbol(call)
        each = _gathered(source, call, around)
        asks = {"targets": each}
        if isinstance(holder, ast.Expr):
            return self.finding(
                source, call,
                f"Every call gathered here may fail and {where} goes on as if all were done: the"
                " exceptions are returned as values and dropped.",
                confidence=Confidence.HIGH, evidence=("the results are dropped",), asks=asks,
            )  # fmt: skip
        name = _assigned(holder)
        if not name:
            return None
        lost = _unseen(source, around, name, call)
        if not lost:
            return None
        sure = Confidence.HIGH if lost[0] == "never read" else Confidence.MEDIUM
        return self.finding(
            source, call,
            f"An exception among `{name}` is {lost[1]} in {where}: who called it cannot tell a"
            " failed call from an answer.",
            confidence=sure, evidence=(lost[0],), asks=asks,
        )  # fmt: skip

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        known = callees(project)
        named = finding.asks["targets"]
        kept = [known.keeps_errors(one) for one in named]
        if kept and all(kept):
            return None
        if not kept or None in kept or any(kept):
            lower = min(finding.confidence, Confidence.MEDIUM, key=lambda one: one.rank)
            return replace(finding, confidence=lower)
        return finding


def _gathers(source: Source, call: ast.Call) -> bool:
    return any(
        word.arg == "return_exceptions" and getattr(word.value, "value", None) is True
        for word in call.keywords
    ) and source.called(call) in ("asyncio.gather", "anyio.gather")


def _holder(source: Source, call: ast.Call) -> ast.AST | None:
    """What takes the awaited results: a statement, or something that uses them."""
    holder = source.parent(call)
    while isinstance(holder, (ast.Await, ast.Starred)) or (
        isinstance(holder, ast.Call) and _last(holder) in _WRAPPERS
    ):  # fmt: skip
        holder = source.parent(holder)
    return holder


def _last(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _assigned(holder: ast.AST | None) -> str:
    if isinstance(holder, ast.Assign) and len(holder.targets) == 1:
        kept = holder.targets[0]
    elif isinstance(holder, ast.AnnAssign):
        kept = holder.target
    else:
        return ""
    return kept.id if isinstance(kept, ast.Name) else ""


def _ends_tasks(around: Function) -> bool:
    """Whether the function cancels tasks or waits for whatever still runs."""
    return any(
        isinstance(one, ast.Attribute) and one.attr in ("cancel", "all_tasks")
        for one in walk(around)
    )


def _gathered(source: Source, call: ast.Call, around: Function) -> list[str]:
    """The absolute names of the coroutines that are gathered, as far as the function shows."""
    found: list[str] = []
    for given in call.args:
        inner: ast.AST = given.value if isinstance(given, ast.Starred) else given
        if isinstance(inner, ast.Name):
            found.extend(_built(source, around, inner.id))
        elif isinstance(inner, (ast.ListComp, ast.GeneratorExp)):
            found.append(_coroutine(source, inner.elt))
        else:
            found.append(_coroutine(source, inner))
    return found


def _built(source: Source, around: Function, name: str) -> Iterator[str]:
    """The coroutines in a list that the function fills."""
    for node in walk(around):
        if isinstance(node, ast.Assign) and any(
            isinstance(one, ast.Name) and one.id == name for one in node.targets
        ):  # fmt: skip
            value = node.value
            if isinstance(value, ast.ListComp):
                yield _coroutine(source, value.elt)
            elif isinstance(value, ast.List):
                yield from (_coroutine(source, one) for one in value.elts)
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            and node.func.attr == "append" and node.args
            and isinstance(node.func.value, ast.Name) and node.func.value.id == name
        ):  # fmt: skip
            yield _coroutine(source, node.args[0])


def _coroutine(source: Source, node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        if _last(node) in ("create_task", "ensure_future") and node.args:
            return _coroutine(source, node.args[0])
        return target(source, node) or "?"
    return "?"


def _unseen(source: Source, around: Function, name: str, call: ast.Call) -> tuple[str, str] | None:
    """What happens to an exception in the results, None when somebody may look at it."""
    read = [
        one for one in walk(around)
        if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load)
    ]  # fmt: skip
    if not read:
        return "never read", "kept and never read"
    checks = [one for one in walk(around) if _asks_for_errors(one)]
    if checks:
        if all(_filters(source, one) for one in checks):
            return "filtered out by a comprehension", "left out unseen"
        return None
    if any(_passed_on(source, one) for one in read):
        return None
    return "used without looking for exceptions", "taken for an answer"


def _asks_for_errors(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and _last(node) in ("isinstance", "issubclass"):
        return True
    return isinstance(node, (ast.Raise, ast.Match))


def _filters(source: Source, check: ast.AST) -> bool:
    """`[one for one in results if not isinstance(one, Exception)]`."""
    if not isinstance(check, ast.Call) or len(check.args) != 2:
        return False
    named = {one.id for one in walk(check.args[1]) if isinstance(one, ast.Name)}
    turned = source.parent(check)
    return (
        bool(named & _ERRORS)
        and isinstance(turned, ast.UnaryOp)
        and isinstance(turned.op, ast.Not)
        and any(isinstance(one, ast.comprehension) for one in source.parents(check))
    )


def _passed_on(source: Source, read: ast.Name) -> bool:
    """Whether something else gets the results, and may look."""
    user = source.parent(read)
    while isinstance(user, (ast.Subscript, ast.Starred, ast.Await, ast.keyword)) or (
        isinstance(user, ast.Call) and isinstance(user.func, ast.Name) and _last(user) in _LOOKS
    ):  # fmt: skip
        user = source.parent(user)
    if isinstance(user, (ast.For, ast.comprehension)):
        return _loop_calls(user)
    return True


def _loop_calls(loop: ast.For | ast.comprehension) -> bool:
    """A loop that hands each result to a function leaves the look to that."""
    if isinstance(loop, ast.comprehension):
        return True
    names = {one.id for one in walk(loop.target) if isinstance(one, ast.Name)}
    return any(
        isinstance(one, ast.Call)
        and any(isinstance(given, ast.Name) and given.id in names for given in one.args)
        for inner in loop.body for one in walk(inner)
    )  # fmt: skip
