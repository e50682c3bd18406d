"""A daemon of one's own, as a process, for the time of a block."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from busctl.adapters import child
from busctl.core.configuration.settings import known_names
from busctl.core.errors import DaemonUnreachable

START_SECS = 60.0
STOP_SECS = 40.0
"""More than BUSCTL_DRAIN_TIMEOUT_SECS by default, and the store's own stop."""
_LOOK_SECS = 0.02


@dataclass(frozen=True, slots=True)
class DaemonProcess:
    """A daemon that serves. `url` is its base for HTTP; the WebSocket is at the same address."""

    url: str
    pid: int
    log: Path


@asynccontextmanager
async def running_daemon(
    folder: Path, environment: Mapping[str, str], *arguments: str
) -> AsyncIterator[DaemonProcess]:
    """Start `busctl serve` on a free port and wait until it serves; stop it after the block.

    `environment` is all it knows of settings; our own environment's settings and any .env are
    kept from it. Its log and ready file are in `folder`. Raises DaemonUnreachable with its last
    words if it does not start.
    """
    log, ready = folder / "daemon.log", folder / "ready.json"
    with log.open("wb") as out:
        process = await _spawn(folder, environment, out, ready, arguments)
        try:
            place = await _ready(process, ready, log)
            yield DaemonProcess(place["url"], process.pid, log)
        finally:
            await _stop(process)


async def _spawn(
    folder: Path,
    environment: Mapping[str, str],
    log: IO[bytes],
    ready: Path,
    arguments: tuple[str, ...],
) -> Process:
    inherited = {name: value for name, value in os.environ.items() if name not in known_names()}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "busctl", "serve", "--port", "0",
        "--ready-file", str(ready), "--log-format", "text", "--until-eof", *arguments,
        # Held open as long as we live: a daemon must not outlive one that was killed.
        cwd=folder, env={**inherited, **environment}, stdin=asyncio.subprocess.PIPE,
        stdout=log, stderr=log,
        start_new_session=True,  # Ctrl-C is ours; the daemon is told in its turn
    )  # fmt: skip


async def _ready(process: Process, ready: Path, log: Path) -> dict[str, str]:
    try:
        async with asyncio.timeout(START_SECS):
            while (place := _read(ready)) is None:
                if process.returncode is not None:
                    raise DaemonUnreachable(
                        f"The daemon ended at its start (exit {process.returncode}): "
                        f"{_last_words(log)}",
                        remedy="",
                    )
                await asyncio.sleep(_LOOK_SECS)
    except TimeoutError as error:
        raise DaemonUnreachable(
            f"The daemon does not serve after {START_SECS:g} s: {_last_words(log)}", remedy=""
        ) from error
    return place


def _read(ready: Path) -> dict[str, str] | None:
    try:
        found: dict[str, str] = json.loads(ready.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return found


def _last_words(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").splitlines()
    return " ".join(lines[-3:]) or "it said nothing."


async def _stop(process: Process) -> None:
    child.send_signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECS):
            await process.wait()
    except TimeoutError:
        await child.end(process)
