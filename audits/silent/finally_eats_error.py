"""A `finally` that leaves by itself, and so drops the exception on its way."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.shelter import keeps
from busctl.audit import FUNCTIONS, Confidence, Finding, Rule, Severity, Source

_LOOPS = (ast.For, ast.AsyncFor, ast.While)


class FinallyEatsError(Rule):
    code = "SF023"
    name = "finally-eats-error"
    family = "silent"
    severity = Severity.ERROR
    summary = "return, break or continue in a finally drops the exception on its way."
    why = (
        "Any exception that reaches the finally, those the handlers do not name and cancellation"
        " and KeyboardInterrupt too, is gone: the caller gets an ordinary return."
    )
    remedy = "Move the return, break or continue behind the whole try statement."
    GOOD = (
        "def read(path):\n    file = open(path)\n    try:\n        return file.read()\n"
        "    finally:\n        file.close()\n",
        "def close(parts):\n    try:\n        work(parts)\n    finally:\n"
        "        for part in parts:\n            if part is None:\n                continue\n"
        "            part.close()\n",
    )
    BAD = (
        "def save(row):\n    done = False\n    try:\n        insert(row)\n        done = True\n"
        "    finally:\n        return done\n",
        "def drain(queue):\n    while True:\n        try:\n            queue.send()\n"
        "        except TimeoutError:\n            log.warning('slow')\n        finally:\n"
        "            break\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for node in source.nodes(ast.Try, getattr(ast, "TryStar", ast.Try)):
            if (leaving := _leaving(node.finalbody)) is not None:
                yield self._found(source, node, leaving)

    def _found(self, source: Source, node: ast.Try, leaving: ast.stmt) -> Finding:
        word = type(leaving).__name__.lower()
        where = source.symbol(leaving) or "the module"
        kept = keeps(node) and not isinstance(leaving, ast.Pass)
        left = (
            "an error of the handlers, cancellation and KeyboardInterrupt"
            if kept else "every exception of the try"
        )  # fmt: skip
        return self.finding(
            source, leaving,
            f"`{word}` in this finally drops {left}: who called {where} gets an ordinary answer.",
            confidence=Confidence.MEDIUM if kept else Confidence.HIGH,
            severity=Severity.WARNING if kept else Severity.ERROR,
            evidence=(f"{word} inside finally",),
        )  # fmt: skip


def _leaving(body: list[ast.stmt]) -> ast.stmt | None:
    """The first statement that leaves the finally, not those of loops and functions inside it."""
    found: list[ast.stmt] = []
    waiting = [(one, False) for one in body]
    while waiting:
        one, in_loop = waiting.pop()
        if isinstance(one, ast.Return) or (
            not in_loop and isinstance(one, (ast.Break, ast.Continue))
        ):
            found.append(one)
        if isinstance(one, (*FUNCTIONS, ast.ClassDef)):
            continue
        looping = in_loop or isinstance(one, _LOOPS)
        waiting += [(inner, looping) for inner in getattr(one, "body", [])]
        waiting += [(inner, in_loop) for inner in _branches(one)]
    return min(found, key=lambda one: one.lineno, default=None)


def _branches(one: ast.stmt) -> Iterator[ast.stmt]:
    """The statements of else, finally and handlers."""
    yield from getattr(one, "orelse", [])
    yield from getattr(one, "finalbody", [])
    for handler in getattr(one, "handlers", []):
        yield from handler.body
    for case in getattr(one, "cases", []):
        yield from case.body
