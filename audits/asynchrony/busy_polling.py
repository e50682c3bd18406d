"""A loop that asks again and again, faster than anyone needs, or where it could be told."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.names import is_test
from busctl.audit import Confidence, Finding, Rule, Severity, Source

_SLEEPS = {"asyncio.sleep", "time.sleep", "anyio.sleep", "trio.sleep", "gevent.sleep"}
_SHORT_SECONDS = 0.05
_SPINNING_SECONDS = 0.005
_TAKES = {"pop", "popleft", "popitem", "get_nowait", "recv", "read", "readline", "accept", "select",
          "step", "tick", "update", "next", "run_once"}  # fmt: skip
# The events that a loop with each kind of sleep could wait for instead.
_EVENTS = {
    "asyncio.Event": "asyncio.sleep", "anyio.Event": "anyio.sleep", "trio.Event": "trio.sleep",
    "threading.Event": "time.sleep", "multiprocessing.Event": "time.sleep",
}  # fmt: skip


class BusyPolling(Rule):
    code = "AS007"
    name = "busy-polling"
    family = "async"
    severity = Severity.NOTE
    summary = "A loop polls many times a second, or sleeps where an event would wake it."
    why = (
        "It burns a core's time while nothing happens, keeps the machine from idling, and still"
        " answers late by up to one sleep."
    )
    remedy = (
        "Wait for what is to happen: an Event, Condition, Queue.get, Process.wait, with a timeout."
    )
    GOOD = (
        "import asyncio\n\nasync def work(queue):\n    while True:\n"
        "        await store(await queue.get())\n        await asyncio.sleep(0)\n",
        "import time\n\ndef poll(job):\n    while not job.done:\n        time.sleep(5)\n",
        "import asyncio\n\nasync def sent(rows):\n    while rows:\n        send(rows.popleft())\n"
        "        await asyncio.sleep(0)\n",
        "import time\n\ndef exactly(seconds):\n    start = time.perf_counter()\n"
        "    while time.perf_counter() - start < seconds:\n        time.sleep(0)\n",
        "import time\n\ndef free(pool):\n    # A busy wait: the pool is hardly ever full.\n"
        "    while True:\n        if pool.take():\n            return\n        time.sleep(0.001)\n",
        "import asyncio\n\nasync def sent(rows):\n    for row in rows:\n        await send(row)\n"
        "        await asyncio.sleep(0.01)\n",
    )
    BAD = (
        "import asyncio\n\nasync def ready(server):\n    while not server.started:\n"
        "        await asyncio.sleep(0.01)\n",
        "import time\n\ndef drained(queue):\n    while True:\n        if queue.empty():\n"
        "            return\n        time.sleep(0.001)\n",
        "import asyncio\n\nclass Worker:\n    def __init__(self):\n"
        "        self.stopped = asyncio.Event()\n\n    async def until_stopped(self):\n"
        "        while not self.stopped.is_set():\n            await asyncio.sleep(1)\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source) or source.is_shown:
            return
        events = _events(source)
        for loop in source.nodes(ast.While):
            sleep = _sleep(source, loop)
            if sleep is not None and (found := self._judged(source, loop, sleep, events)):
                yield found

    def _judged(
        self, source: Source, loop: ast.While, sleep: ast.Call, events: dict[str, str]
    ) -> Finding | None:
        seconds = _seconds(sleep)
        event = _watched(source, loop, events)
        if event and events[event] == source.called(sleep) and len(loop.body) == 1:
            return self.finding(
                source, loop,
                f"{source.symbol(loop)} sleeps and looks whether `{event}` is set, where"
                f" `{event}.wait()` would wake it at once.",
                confidence=Confidence.HIGH, evidence=(f"{event} is an Event",),
            )  # fmt: skip
        if seconds is None or seconds >= _SHORT_SECONDS or _does_other_work(loop, sleep):
            return None
        if len(loop.body) == 1 and _asks_the_clock(loop.test):
            return None  # a sleep in small steps: there is no event that it could wait for
        if source.comments_in(loop) or loop.lineno - 1 in source.comments:
            return None  # somebody has weighed it and says why
        rate = f"{1 / seconds:.0f} times a second" if seconds else "as fast as the loop turns"
        return self.finding(
            source, loop,
            f"{source.symbol(loop) or 'the module'} polls {rate} while nothing happens, on a core"
            " that everyone shares.",
            confidence=Confidence.HIGH if seconds < _SPINNING_SECONDS else Confidence.MEDIUM,
            severity=Severity.WARNING if seconds < 0.005 else Severity.NOTE,
            evidence=(f"sleep of {seconds:g} s, nothing else to wait for in the loop",),
        )  # fmt: skip


def _sleep(source: Source, loop: ast.While) -> ast.Call | None:
    """The sleep that ends each round (or stands in it), not one in an except or a nested loop."""
    for statement in loop.body:
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(value, ast.Await):
            value = value.value
        if isinstance(value, ast.Call) and source.called(value) in _SLEEPS:
            return value
    return None


def _seconds(sleep: ast.Call) -> float | None:
    given = sleep.args[0] if sleep.args else None
    if isinstance(given, ast.Constant) and isinstance(given.value, (int, float)):
        return float(given.value)
    return None


def _events(source: Source) -> dict[str, str]:
    """The names of events, and the sleep that their wait would replace."""
    return {
        source.dotted(one): _EVENTS[source.called(each.value)]
        for each in source.nodes(ast.Assign)
        if isinstance(each.value, ast.Call) and source.called(each.value) in _EVENTS
        for one in each.targets
    }


def _asks_the_clock(test: ast.expr) -> bool:
    """`time.monotonic() - start < seconds`: nothing but time ends the loop."""
    called = [
        getattr(one.func, "attr", getattr(one.func, "id", ""))
        for one in ast.walk(test) if isinstance(one, ast.Call)
    ]  # fmt: skip
    clocks = {"time", "monotonic", "perf_counter", "now"}
    return isinstance(test, ast.Compare) and bool(called) and clocks.issuperset(called)


def _watched(source: Source, loop: ast.While, events: dict[str, str]) -> str:
    """The event that `while not event.is_set():` looks at."""
    test = loop.test
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        asked = test.operand
        if isinstance(asked, ast.Call) and isinstance(asked.func, ast.Attribute):
            name = source.dotted(asked.func.value)
            if asked.func.attr == "is_set" and name in events:
                return name
    return ""


def _does_other_work(loop: ast.While, sleep: ast.Call) -> bool:
    """Whether a round waits for something else, or gives something out."""
    for statement in loop.body:
        for one in ast.walk(statement):
            if isinstance(one, (ast.Yield, ast.YieldFrom, ast.AsyncFor, ast.AsyncWith)):
                return True
            if isinstance(one, ast.Await) and one.value is not sleep:
                return True
            if isinstance(one, ast.Expr) and _acts(one.value, sleep):
                return True
            if isinstance(one, ast.Call) and one is not sleep and _takes(one):
                return True
    return False


def _acts(value: ast.expr, sleep: ast.Call) -> bool:
    """A statement that calls something does more than look."""
    inner = value.value if isinstance(value, ast.Await) else value
    return isinstance(inner, ast.Call) and inner is not sleep and not _is_log(inner)


def _is_log(call: ast.Call) -> bool:
    return getattr(call.func, "attr", "") in ("debug", "info", "log", "warning")


def _takes(call: ast.Call) -> bool:
    """Whether it waits by itself, or takes something out: then the round did work."""
    last = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return last in _TAKES or any(word.arg == "timeout" for word in call.keywords)
