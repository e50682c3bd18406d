"""Signals to child processes of asyncio."""

from __future__ import annotations

import os
import signal
from asyncio.subprocess import Process
from contextlib import suppress


def send_signal(process: Process, number: signal.Signals) -> None:
    """Send a signal to a child that has not ended.

    The method of the same name polls first. That takes the exit status of a child that has just
    ended away from asyncio, which then tells 255 and logs an "Unknown child process" (CPython's
    `subprocess.Popen.send_signal` and `asyncio.ThreadedChildWatcher`).
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it has ended: what was wanted
            os.kill(process.pid, number)


async def end(process: Process) -> None:
    """Kill a child that has not ended, and wait for it."""
    send_signal(process, signal.SIGKILL)
    await process.wait()
