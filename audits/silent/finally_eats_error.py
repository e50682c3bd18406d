"""A `finally` that leaves by itself, and so drops the exception on its way."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.callees import keeps
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
            for leaving in _leaving(node.finalbody, in_loop=False):
                yield self._found(source, node, leaving)
                break

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


def _leaving(body: list[ast.stmt], *, in_loop: bool) -> Iterator[ast.stmt]:
    """The statements that leave the finally, not those of loops and functions inside it."""
    for one in body:
        if isinstance(one, ast.Return) or (
            not in_loop and isinstance(one, (ast.Break, ast.Continue))
        ):
            yield one
        if isinstance(one, (*FUNCTIONS, ast.ClassDef)):
            continue
        looping = in_loop or isinstance(one, _LOOPS)
        yield from _leaving(getattr(one, "body", []), in_loop=looping)
        yield from _leaving(getattr(one, "orelse", []), in_loop=in_loop)
        yield from _leaving(getattr(one, "finalbody", []), in_loop=in_loop)
        for handler in getattr(one, "handlers", []):
            yield from _leaving(handler.body, in_loop=in_loop)
