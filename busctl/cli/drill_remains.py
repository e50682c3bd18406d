"""What is left of drills whose process was killed, ended and removed by one that outlives it:
`python -P -m busctl.cli.drill_remains FOLDER` waits for the end of its standard input first."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from busctl.adapters import child, embedded, pgbouncer, small_disk
from busctl.core.errors import BusctlError

DAEMON_SECS = 60.0
"""How long a daemon may take to stop: it sees by itself that whoever started it has gone."""
LOOK_SECS = 0.1
KEEP = "--keep"


@asynccontextmanager
async def swept(folder: Path, *, keep: bool) -> AsyncIterator[None]:
    """Sees that servers of drills in `folder` do not outlive this process, if it is killed in the
    block; and that the folder does not, unless `keep`."""
    guard = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "busctl.cli.drill_remains", str(folder), *([KEEP] * keep),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL, cwd="/", start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        # All is ended as it should be: there is nothing left to be done.
        await child.end(guard)


def beside(folder: Path) -> str:
    """How names of temporary folders begin that belong to those drills and lie beside `folder`:
    the path of a socket may not be long."""
    return f"{folder.name}-"


def sweep(folder: Path, *, keep: bool) -> None:
    """End what runs in the deployments of `folder`, and remove it."""
    for deployment in sorted(folder.glob("*/")):
        _wait_for_daemons(deployment)
        pgbouncer.end(deployment / "pooler")
        for home in (deployment / "store", deployment / "disk" / "store"):
            with suppress(BusctlError):  # what cannot be stopped is left, the rest is not
                embedded.stop(home, force=True)
        small_disk.unmount(deployment / "disk")
    left = [*folder.parent.glob(f"{beside(folder)}*"), *([folder] if not keep else [])]
    for each in left:
        shutil.rmtree(each, ignore_errors=True)


def _wait_for_daemons(deployment: Path) -> None:
    until = time.monotonic() + DAEMON_SECS
    # A daemon takes its file away when it leaves.
    while any(deployment.glob("daemon-*/ready.json")) and time.monotonic() < until:
        time.sleep(LOOK_SECS)


def main() -> None:
    """Wait, then sweep."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while os.read(sys.stdin.fileno(), 4096):
        continue
    sweep(Path(sys.argv[1]), keep=KEEP in sys.argv)


if __name__ == "__main__":
    main()
