"""A lock held while something slow is waited for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.asynchrony.blocking import enters_loop
from audits.clients import sent
from audits.names import is_test
from busctl.audit import Confidence, Finding, Rule, Severity, Source

_THREAD = {"threading.Lock", "threading.RLock", "threading.Semaphore", "threading.Condition",
           "threading.BoundedSemaphore", "multiprocessing.Lock"}  # fmt: skip
_ASYNC = {"asyncio.Lock", "anyio.Lock"}


class LockAcrossWait(Rule):
    code = "AS006"
    name = "lock-across-wait"
    family = "async"
    severity = Severity.ERROR
    summary = "A lock is held across an await."
    why = (
        "A thread's lock that is held across an await stops the loop as soon as a second task asks"
        " for it, and the first can never go on to release it: a deadlock without a message. An"
        " asyncio lock held across the network makes everyone wait for one slow peer."
    )
    remedy = (
        "Use asyncio.Lock where tasks share, and release a thread's lock before the await; fetch"
        " first and take the lock only to store."
    )
    GOOD = (
        "import threading\n\nlock = threading.Lock()\n\nasync def put(row):\n    with lock:\n"
        "        rows.append(row)\n    await flush()\n",
        "import asyncio\n\nlock = asyncio.Lock()\n\nasync def put(row):\n    async with lock:\n"
        "        await store(row)\n",
    )
    BAD = (
        "import threading\n\nlock = threading.Lock()\n\nasync def put(row):\n    with lock:\n"
        "        await store(row)\n",
        "import threading\n\nclass Store:\n    def __init__(self):\n"
        "        self._lock = threading.RLock()\n\n    async def put(self, row):\n"
        "        with self._lock:\n            async with self.connection() as connection:\n"
        "                await connection.insert(row)\n",
        "import asyncio\nimport httpx\n\nclass Api:\n    def __init__(self):\n"
        "        self.lock = asyncio.Lock()\n        self.client = httpx.AsyncClient()\n\n"
        "    async def rows(self, url):\n        async with self.lock:\n"
        "            return await self.client.get(url)\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source):
            return
        locks = _locks(source)
        if not locks:
            return
        for item in source.nodes(ast.withitem):
            kind = locks.get(source.dotted(item.context_expr))
            entered = source.parent(item)
            if (
                kind
                and isinstance(entered, (ast.With, ast.AsyncWith))
                and enters_loop(source, item)
            ):
                yield from self._judged(source, entered, item, kind)

    def _judged(
        self, source: Source, entered: ast.With | ast.AsyncWith, item: ast.withitem, kind: str
    ) -> Iterator[Finding]:
        name = source.dotted(item.context_expr)
        if kind in _THREAD and isinstance(entered, ast.With):
            if waiting := _waits(source, entered):
                yield self.finding(
                    source, item.context_expr,
                    f"`{name}` ({kind}) is held across the await in line {waiting.lineno}: a second"
                    " task that asks for it stops the event loop, and the first can then never"
                    " release it.",
                    confidence=Confidence.HIGH, evidence=(f"await in line {waiting.lineno}",),
                )  # fmt: skip
        elif kind in _ASYNC and (asked := _asks_network(source, entered)):
            yield self.finding(
                source, item.context_expr,
                f"`{name}` is held while line {asked.lineno} waits for another host: every task"
                " that needs the lock waits for that one answer.",
                confidence=Confidence.LOW, severity=Severity.NOTE,
                evidence=(f"an HTTP call in line {asked.lineno} under the lock",),
            )  # fmt: skip


def _locks(source: Source) -> dict[str, str]:
    """The names that are given a lock in this file, and its kind."""
    found = {}
    for each in source.nodes(ast.Assign):
        if (
            isinstance(each.value, ast.Call)
            and (kind := source.called(each.value)) in _THREAD | _ASYNC
        ):
            found.update({source.dotted(one): kind for one in each.targets})
    for note in source.nodes(ast.AnnAssign):
        if (
            isinstance(note.value, ast.Call)
            and (kind := source.called(note.value)) in _THREAD | _ASYNC
        ):
            found[source.dotted(note.target)] = kind
    return found


def _waits(source: Source, entered: ast.With) -> ast.expr | ast.stmt | None:
    around = source.function(entered)
    for statement in entered.body:
        for one in ast.walk(statement):
            if (
                isinstance(one, (ast.Await, ast.AsyncFor, ast.AsyncWith))
                and source.function(one) is around
            ):
                return one
    return None


def _asks_network(source: Source, entered: ast.AST) -> ast.Call | None:
    for one in ast.walk(entered):
        if isinstance(one, ast.Call) and (made := sent(source, one)) and made.is_async:
            return one
    return None
