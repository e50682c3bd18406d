"""A background task whose failure nobody asks for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from audits.callees import Functions, callees
from audits.names import calls_of, is_test, target
from busctl.audit import Confidence, Finding, Project, Rule, Source, walk

_MAKERS = ("create_task", "ensure_future", "run_coroutine_threadsafe")
_THREADSAFE = "asyncio.run_coroutine_threadsafe"
_CANNOT_FAIL = {"sleep", "wait", "join", "wait_closed"}
_LOOK_ONLY = {"cancel", "done", "cancelled", "set_name", "get_name"}


class TaskNeverExamined(Rule):
    code = "SF020"
    name = "task-never-examined"
    family = "silent"
    summary = "A task is started and its result never awaited or examined."
    why = (
        "The caller has gone on when the coroutine fails, so whoever waits for its effect (a row, a"
        " message, a next round of a loop) never gets it and is not told. asyncio says 'never"
        " retrieved' on its own logger, and only when the task is collected; a task that nothing"
        " holds may even be collected half-way. A future of run_coroutine_threadsafe says nothing."
    )
    remedy = (
        "Await it, run it in a TaskGroup, or keep it and add a done callback that logs"
        " task.exception()."
    )
    needs = (Functions,)
    GOOD = (
        "import asyncio\n\ndef drop(response):\n    asyncio.create_task(response.aclose())\n",
        "import asyncio\n\nasync def save(row):\n    try:\n        await store(row)\n"
        "    except Exception:\n        log.exception('not saved')\n\n"
        "async def handle(row):\n    asyncio.create_task(save(row))\n",
        "import asyncio\n\nasync def handle(row):\n    task = asyncio.create_task(save(row))\n"
        "    await answer(row)\n    await task\n\nasync def save(row):\n    await db.insert(row)\n",
        "import asyncio\n\nasync def handle(self, row):\n"
        "    task = asyncio.create_task(save(row))\n    self.tasks.add(task)\n"
        "    task.add_done_callback(self.examined)\n",
        "import asyncio\n\nasync def handle(rows):\n    async with asyncio.TaskGroup() as group:\n"
        "        for row in rows:\n            group.create_task(save(row))\n",
        "import asyncio\n\nclass Poller:\n    def start(self):\n"
        "        self._task = asyncio.create_task(self.run())\n\n"
        "    async def run(self):\n        await self.socket.recv()\n\n"
        "    async def stop(self):\n        self._task.cancel()\n        await self._task\n",
    )
    BAD = (
        "import asyncio\n\nasync def handle(row):\n    asyncio.create_task(save(row))\n\n"
        "async def save(row):\n    await db.insert(row)\n",
        "import asyncio\n\nasync def handle(row):\n    _ = asyncio.ensure_future(db.insert(row))\n"
        "    return 'saved'\n",
        "import asyncio\n\ndef on_message(self, row):\n"
        "    asyncio.run_coroutine_threadsafe(self.insert(row), self.loop)\n",
        "import asyncio\n\nclass Poller:\n    def start(self):\n"
        "        self._task = asyncio.create_task(self.run())\n\n"
        "    async def run(self):\n        while True:\n            await self.socket.recv()\n\n"
        "    def stop(self):\n        self._task.cancel()\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source):
            return
        for call in calls_of(source, _MAKERS):
            if call.args and (held := _held(source, call)):
                yield self._found(source, call, held)

    def _found(self, source: Source, call: ast.Call, held: str) -> Finding:
        started = call.args[0]
        inner = target(source, started) if isinstance(started, ast.Call) else ""
        what = f"`{_shown(source, started)}`"
        where = source.symbol(call) or "the module"
        if source.called(call) == _THREADSAFE:
            lost = "its future keeps the error and nobody asks it"
        elif held == "dropped":
            lost = "nothing holds the task and nobody examines it"
        else:
            lost = f"`{held}` is only cancelled or looked at, never awaited"
        return self.finding(
            source, call,
            f"If {what} fails, {where} never learns of it and what it was to do stays undone:"
            f" {lost}.",
            evidence=(lost,),
            asks={"target": inner, "last": _last(started), "held": held != "dropped"},
        )  # fmt: skip

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        known = callees(project)
        named, last = finding.asks["target"], finding.asks["last"]
        kept = known.keeps_errors(named) if named else None
        if kept is None:
            return self._by_name(finding, [known.keeps_errors(one) for one in known.named(last)])
        if kept:
            return None
        leaves = known.leaves_by(named)
        proof = f"{last} lets its errors out" + (f" (of {leaves})" if leaves else "")
        doubtful = finding.asks["held"] or known.expects(named)
        sure = Confidence.MEDIUM if doubtful else Confidence.HIGH
        return replace(finding, confidence=sure, evidence=(*finding.evidence, proof))

    def _by_name(self, finding: Finding, each: list[bool | None]) -> Finding | None:
        """Judged by all functions of that name, where the receiver is not known."""
        return None if finding.asks["held"] or any(each) else finding


# What is closed in the background has nobody left to hurt.
_CLOSES = {"close", "aclose", "wait_closed", "release", "disconnect"}


def _held(source: Source, call: ast.Call) -> str:
    """ "dropped", the attribute that keeps it unasked, or "" when somebody may examine it."""
    last = _last(call.args[0]) if call.args else ""
    if not _starts(source, call) or last in _CANNOT_FAIL or last in _CLOSES:
        return ""
    holder = source.parent(call)
    if isinstance(holder, ast.Expr):
        return "dropped"
    if not isinstance(holder, ast.Assign) or len(holder.targets) != 1:
        return ""
    kept = holder.targets[0]
    if isinstance(kept, ast.Name):
        return "dropped" if _never_read(source, call, kept.id) else ""
    if isinstance(kept, ast.Attribute) and _only_looked_at(source, kept):
        return source.dotted(kept)
    return ""


def _starts(source: Source, call: ast.Call) -> bool:
    func = call.func
    last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    name = source.called(call)
    if name in ("asyncio.create_task", "asyncio.ensure_future", _THREADSAFE):
        return True
    owner = name.rpartition(".")[0].rpartition(".")[2].lower()
    return last == "create_task" and owner.endswith(("loop", "loop()"))


def _last(node: ast.expr) -> str:
    if not isinstance(node, ast.Call):
        return ""
    func = node.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _never_read(source: Source, call: ast.Call, name: str) -> bool:
    around = source.function(call)
    if around is None:
        return False
    return not any(
        one.id == name and isinstance(one.ctx, ast.Load)
        for one in walk(around) if isinstance(one, ast.Name)
    ) and not any(isinstance(one, (ast.Global, ast.Nonlocal)) and name in one.names
                  for one in walk(around))  # fmt: skip


def _only_looked_at(source: Source, kept: ast.Attribute) -> bool:
    """Whether the file reads the attribute only to cancel it or to see that it is there."""
    for one in source.nodes(ast.Attribute):
        if one.attr != kept.attr or not isinstance(one.ctx, ast.Load):
            continue
        user = source.parent(one)
        if isinstance(user, ast.Attribute) and user.attr in _LOOK_ONLY:
            continue
        if isinstance(user, (ast.If, ast.BoolOp, ast.Compare, ast.UnaryOp)):
            continue
        return False
    return True


def _shown(source: Source, node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return f"{source.dotted(node.func) or 'the coroutine'}()"
    return source.dotted(node) or "the coroutine"
