"""A daemon for the tests of its clients: one a module, with tools that wait, fail and misbehave."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from busctl.adapters import embedded
from busctl.adapters.daemon_process import running_daemon
from tests.conftest import make_database

TOOLS = '''
import asyncio
from collections.abc import AsyncIterator

from busctl.ports import Answer
from busctl.tools import Progress, ToolSet

tools = ToolSet()
runs = []

@tools.tool
def mirror(value: object = None, blob: bool = False) -> object:
    """Give the value back."""
    return bytes.fromhex(value) if blob else value

@tools.tool
async def slow(seconds: float, progress: Progress) -> str:
    progress("sleeping")
    await asyncio.sleep(seconds)
    return "awake"

@tools.tool
async def count(name: str, seconds: float = 0.0) -> int:
    """How often this was called with that name."""
    runs.append(name)
    await asyncio.sleep(seconds)
    return runs.count(name)

@tools.tool
def declare(size: int, declared: int, content_type: str = "text/plain") -> Answer:
    """An answer that says how large it is, rightly or not."""
    return Answer(b"x" * size, None, content_type, declared_size=declared)

@tools.tool
async def dripping(text: str) -> AsyncIterator[str]:
    """The text letter by letter."""
    for letter in text:
        yield letter

@tools.tool
def broken() -> None:
    """Be \x1b[2Jout of order."""
    raise RuntimeError("out of order")
'''


@dataclass(frozen=True, slots=True)
class Served:
    """A daemon that serves: `url` for HTTP and WebSocket, its token, and the environment of a
    command line that is to reach it."""

    url: str
    token: str
    dsn: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        port = self.url.rpartition(":")[2]
        state = {"BUSCTL_STATE_DIR": str(self.folder / "state"), "BUSCTL_PORT": port}
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, **state, "DATABASE_URL": self.dsn}


@contextmanager
def serving(server: embedded.Server, folder: Path, name: str, **settings: str) -> Iterator[Served]:
    """A daemon on a database of its own, with `TOOLS` and the demonstration tools."""
    folder.mkdir()
    (folder / "clienttools.py").write_text(TOOLS)
    with asyncio.Runner() as runner:
        dsn = runner.run(make_database(server, f"client_{name}_{os.getpid()}"))
        environment = {
            "DATABASE_URL": dsn,
            "BUSCTL_STATE_DIR": str(folder / "state"),
            "BUSCTL_PROGRESS_INTERVAL_SECS": "0.2",
            **settings,
        }
        daemon = running_daemon(folder, environment, "--tools", "clienttools:tools")
        process = runner.run(daemon.__aenter__())
        try:
            token = (folder / "state" / "token").read_text().strip()
            yield Served(process.url, token, dsn, folder)
        finally:
            runner.run(daemon.__aexit__(None, None, None))
