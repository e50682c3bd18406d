"""What becomes of upstream programs, and of what they have started, when their daemon goes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.daemons import Running, daemon, session
from tests.upstream.config import program, write

pytestmark = pytest.mark.one_database


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def all_end(pids: set[int]) -> None:
    async with asyncio.timeout(20):
        while any(is_running(pid) for pid in pids):
            await asyncio.sleep(0.05)


async def family(running: Running, folder: Path) -> set[int]:
    """The server's process, and a child of it that ends by itself for nothing but SIGKILL."""
    async with session(running) as client:
        await client.call("plain", {"words": "up"})
        answer = await client.call("child", {"marker": str(folder / "child")})
        child = int(answer["outputs"][0]["text"])
        answer = await client.call("own_pid")
        found = {child, int(answer["outputs"][0]["text"])}
    assert all(is_running(pid) for pid in found)
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_nothing_outlives_a_daemon(
    database: str, tmp_path: Path, number: signal.Signals
) -> None:
    config = write(tmp_path, tests=program())
    with daemon(database, BUSCTL_MCP_CONFIG=config, BUSCTL_TOOLS="") as running:
        pids = await family(running, tmp_path)
        running.stop(number)
        await all_end(pids)


async def test_nothing_outlives_a_daemon_and_its_process_group(
    database: str, tmp_path: Path
) -> None:
    """As a terminal's Ctrl-C, or a shell's `kill -9 -PGID`, does it."""
    config = write(tmp_path, tests=program())
    with daemon(database, BUSCTL_MCP_CONFIG=config, BUSCTL_TOOLS="") as running:
        pids = await family(running, tmp_path)
        guards = guards_of(running.process.pid)
        assert len(guards) == 1
        assert os.getpgid(guards[0]) != os.getpgid(running.process.pid)
        running.stop(signal.SIGKILL)
        await all_end({*pids, *guards})


async def test_a_server_that_dies_leaves_nothing_behind(database: str, tmp_path: Path) -> None:
    config = write(tmp_path, tests=program())
    with daemon(database, BUSCTL_MCP_CONFIG=config, BUSCTL_TOOLS="") as running:
        pids = await family(running, tmp_path)
        async with session(running) as client:
            await client.call("die", {"status": -1})
            await all_end(pids)


def guards_of(daemon: int) -> list[int]:
    """The shells that a daemon has started."""
    children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
    return [
        int(pid)
        for pid in children
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/bin/sh\0-c\0")
    ]
