"""A daemon of one's own ends with whoever started it, however that ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PARENT = """
import asyncio, json, sys
from pathlib import Path
from busctl.adapters.daemon_process import running_daemon

async def main():
    async with running_daemon(Path(sys.argv[1]), {"DATABASE_URL": sys.argv[2]}) as daemon:
        print(json.dumps({"pid": daemon.pid}), flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def is_there(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


async def test_it_ends_with_a_parent_that_is_killed(database: str, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-P", "-c", PARENT, tmp_path, database], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        pid = json.loads(await asyncio.to_thread(parent.stdout.readline))["pid"]
        assert is_there(pid)
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while is_there(pid) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert not is_there(pid)
    assert "stopped" in (tmp_path / "daemon.log").read_text()
