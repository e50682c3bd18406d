"""A throw-away pgbouncer in transaction mode, in front of a server's Unix socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import Process
from pathlib import Path
from typing import Self

from busctl.adapters import child
from busctl.adapters.latency_proxy import Address
from busctl.core.errors import BusctlError, StoreUnreachable

PROGRAMS = ("pgbouncer", "/usr/sbin/pgbouncer")
START_SECS = 20.0
LOOK_SECS = 0.03
PORT = 6432
CONF = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr =
listen_port = {listen}
unix_socket_dir = {folder}
unix_socket_mode = 0777
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 4
server_login_retry = 0.2
logfile = {folder}/log
pidfile = {folder}/pid
"""


def program() -> str | None:
    """Where pgbouncer is installed; None if it is not."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def end(folder: Path) -> None:
    """End at once the one that was started in `folder` and left there; if none was, nothing."""
    try:
        pid = int((folder / "pid").read_text("ascii"))
        os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return  # it never wrote it, or has ended


class Pooler:
    """`async with Pooler(folder, upstream, user) as pooler:` listens at `pooler.address`;
    `upstream` is on a Unix socket. Raises StoreUnreachable when it does not start."""

    def __init__(self, folder: Path, upstream: Address, user: str) -> None:
        self.address = Address(str(folder), PORT)
        self._folder = folder
        self._upstream = upstream
        self._user = user
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        self._folder.mkdir(mode=0o755)
        self._folder.chmod(0o777)  # where another user writes its log and its socket
        (self._folder / "users").write_text(f'"{self._user}" ""\n')
        (self._folder / "ini").write_text(
            CONF.format(
                host=self._upstream.host, port=self._upstream.port, listen=PORT,
                folder=self._folder,
            )
        )  # fmt: skip
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start it (again) and wait until it listens."""
        found = program()
        if found is None:
            raise BusctlError("pgbouncer is not installed.")
        # It refuses to run as root, and the server's socket lets in its own user.
        owner = os.stat(self._upstream.host).st_uid if os.geteuid() == 0 else None  # noqa: PTH116  # str
        self._process = await asyncio.create_subprocess_exec(
            found, "-q", str(self._folder / "ini"), cwd="/", stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, user=owner,
        )  # fmt: skip
        try:
            async with asyncio.timeout(START_SECS):
                while not await self._listens():
                    if await _ended(self._process):
                        raise StoreUnreachable(f"pgbouncer ended at its start: {self._log()}")
        except TimeoutError as error:
            raise StoreUnreachable(f"pgbouncer does not listen: {self._log()}") from error

    async def kill(self) -> None:
        """End it at once; what its clients had under way is cut."""
        if self._process is None:
            return
        await child.end(self._process)
        self._process = None

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.address.unix_path)
        except OSError:
            return False
        writer.close()
        return True

    def _log(self) -> str:
        path = self._folder / "log"
        return path.read_text("utf-8", "replace")[-400:] if path.exists() else "it said nothing"


async def _ended(process: Process) -> bool:
    """Whether it ends within a moment."""
    try:
        async with asyncio.timeout(LOOK_SECS):
            await process.wait()
    except TimeoutError:
        return False
    return True
