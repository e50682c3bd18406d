"""Async code catches the cancellation and goes on."""

from __future__ import annotations

from audits.silent.judged import HandlerRule
from busctl.audit import Severity


class SwallowedCancellation(HandlerRule):
    """Async code catches the cancellation and goes on."""

    code = "SF011"
    name = "swallowed-cancellation"
    severity = Severity.ERROR
    summary = "A cancellation is caught around an await and not raised again"
    why = (
        "A task that is cancelled and goes on keeps its connection and its work: stopping the "
        "daemon hangs, a timeout does not end what it bounds, and who cancelled waits."
    )
    remedy = "Catch Exception instead, or raise the cancellation again after cleaning up."
    BAD = (
        """\
import asyncio

async def heartbeat(peer):
    while True:
        try:
            await peer.ping()
            await asyncio.sleep(8)
        except asyncio.CancelledError:
            continue
""",
        """\
async def run_tool(tool, arguments):
    try:
        return await tool.run(arguments)
    except BaseException:
        return None
""",
    )
    GOOD = (
        """\
import asyncio

async def heartbeat(peer):
    while True:
        try:
            await peer.ping()
        except asyncio.CancelledError:
            break
""",
        """\
import asyncio

async def heartbeat(peer):
    try:
        await peer.ping()
    except asyncio.CancelledError:
        peer.forget()
        raise
""",
        """\
import asyncio

async def stop(task):
    task.cancel()
    try:
        await task
    except BaseException:
        pass
""",
    )
