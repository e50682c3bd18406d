"""`contextlib.suppress` hides a failure that matters."""

from __future__ import annotations

from audits.silent.judged import HandlerRule
from busctl.audit import Severity


class SuppressedFailure(HandlerRule):
    """`contextlib.suppress` hides a failure that matters."""

    code = "SF009"
    name = "suppressed-failure"
    severity = Severity.WARNING
    summary = "contextlib.suppress hides a failure that matters"
    why = (
        "The shortest way to drop an error: everything after the failing line of the block is "
        "skipped too, and nobody is told."
    )
    remedy = (
        "Suppress only what is expected, around one statement; let the rest rise or log it at "
        "warning or above."
    )
    BAD = (
        """\
import contextlib

async def hand_over(bus, payload):
    with contextlib.suppress(Exception):
        await bus.publish(payload)
""",
        """\
from contextlib import suppress

def mapper(self, name, uri):
    with suppress(KeyError):
        if name:
            return self.by_name[name]
        if uri:
            return self.by_uri[uri]
    return self.default
""",
    )
    GOOD = (
        """\
import contextlib
import os

def forget(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
""",
        """\
import asyncio
import contextlib

async def stop(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
""",
        """\
import contextlib

def title_of(tools, name):
    with contextlib.suppress(KeyError):
        return tools[name].title
    return name
""",
    )
