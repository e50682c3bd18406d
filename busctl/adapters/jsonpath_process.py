"""JSONPath beside this process: one that is bounded in memory and time, and killed at its limit."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from busctl.adapters import child
from busctl.core.errors import InvalidPattern, NotJson, PayloadTooLarge, SearchTimedOut, Unforeseen
from busctl.core.reading.json_paths import Bounds, Value, ValuesFound

MOST_CHARS = 2_000
TOGETHER = 2
"""Processes at a time; further queries wait for one to end."""
_BY_THE_KERNEL = (-signal.SIGKILL, -signal.SIGXCPU)


class JsonPathProcess:
    """Runs each query in a process of its own."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(TOGETHER)

    async def query(self, path: str, pieces: AsyncIterator[bytes], bounds: Bounds) -> ValuesFound:
        """The values that the path selects. Raises InvalidPattern, NotJson, SearchTimedOut and
        PayloadTooLarge (it needs more memory than it may take)."""
        if len(path) > MOST_CHARS:
            raise InvalidPattern(f"The path has {len(path):,} characters; {MOST_CHARS:,} go.")
        asked = json.dumps({"path": path, **asdict(bounds)}).encode()
        try:
            async with asyncio.timeout(bounds.seconds), self._free:
                out, ended = await _run(asked, pieces)
        except TimeoutError as error:
            raise _timed_out(bounds) from error
        if ended in _BY_THE_KERNEL:
            raise _timed_out(bounds)
        if ended:
            raise Unforeseen(f"The process that walks JSONPaths ended with {ended}.")
        return _found(json.loads(out), bounds)


async def _run(asked: bytes, pieces: AsyncIterator[bytes]) -> tuple[bytes, int]:
    """What it printed, and its exit code."""
    process = await asyncio.create_subprocess_exec(
        # -P: nothing in the working directory stands in for a module.
        sys.executable, "-P", "-m", "busctl.adapters.jsonpath_worker",
        stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None  # noqa: S101  # it was asked for
        reading = asyncio.ensure_future(process.stdout.read())
        await _feed(process, asked, pieces)
        return await reading, await process.wait()
    finally:
        await child.end(process)


async def _feed(process: Process, asked: bytes, pieces: AsyncIterator[bytes]) -> None:
    source = process.stdin
    assert source is not None  # noqa: S101  # it was asked for
    try:
        source.write(asked + b"\n")
        async for piece in pieces:
            source.write(piece)
            await source.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # it has answered already, or is gone: what it said tells
    finally:
        source.close()


def _timed_out(bounds: Bounds) -> SearchTimedOut:
    return SearchTimedOut(f"The path was not walked in {bounds.seconds:g} s.")


def _found(told: dict[str, Any], bounds: Bounds) -> ValuesFound:
    match told.get("error"):
        case None:
            return ValuesFound(tuple(Value(**each) for each in told["values"]), told["more"])
        case "memory":
            raise PayloadTooLarge(
                f"To walk this JSON needs more than {bounds.memory_bytes:,} bytes of memory.",
                remedy="Search it with a regular expression, or read a part of it.",
            )
        case "json":
            raise NotJson(f"The payload is no JSON: {told['message']}.")
        case _:
            raise InvalidPattern(f"The JSONPath cannot be used: {told['message']}.")
