"""What the tests of the embedded store share: folders, child processes, queries."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from busctl.adapters import embedded

NOBODY = pwd.getpwnam("nobody")
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that every user may enter; servers below it are stopped at the end."""
    assert os.geteuid() == 0, "these tests change users: run them as root"
    path = Path(tempfile.mkdtemp(prefix="busctl-embedded-", dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        for version in [*path.glob("*/data/PG_VERSION"), *path.glob("*/*/data/PG_VERSION")]:
            embedded.stop(version.parent.parent, force=True)
        shutil.rmtree(path)


def query(server: embedded.Server, statement: str, **connect: Any) -> Any:
    """The first column of the first row, None when the statement gives no rows."""
    with psycopg.connect(server.dsn, autocommit=True, **connect) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


class Child:
    """A forked process that runs `work`, prints its result as JSON and ends, or is killed.

    Forked, not spawned: the interpreter itself may lie where the other user cannot reach it.
    """

    def __init__(self, work: Callable[[], Any], *, uid: int = 0, gid: int = 0) -> None:
        self._reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reader)
            _run_and_exit(work, writer, uid, gid)
        os.close(writer)

    def result(self) -> Any:
        with os.fdopen(self._reader) as pipe:
            text = pipe.read()
        os.waitpid(self.pid, 0)
        found = json.loads(text)
        assert not (isinstance(found, dict) and "traceback" in found), found["traceback"]
        return found

    def line(self) -> Any:
        """The result of a child that goes on living (its work wrote a line itself)."""
        return json.loads(os.read(self._reader, 65536))

    def kill(self) -> None:
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self._reader)


def _run_and_exit(work: Callable[[], Any], writer: int, uid: int, gid: int) -> None:
    try:
        if uid:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        os.write(writer, json.dumps(work()).encode())
    except BaseException:  # noqa: BLE001 (told to the parent, which fails on it)
        os.write(writer, json.dumps({"traceback": traceback.format_exc()}).encode())
    finally:
        os._exit(0)


def holding(home: Path) -> Child:
    """A process that holds a lease until it is killed; its `line()` is the server's pid."""
    reader, writer = os.pipe()

    def work() -> None:
        lease = embedded.acquire(home)
        os.write(writer, json.dumps(lease.server.pid).encode())
        time.sleep(600)

    child = Child(work)
    os.close(writer)
    os.close(child._reader)
    child._reader = reader
    return child


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.002)
    return found


def is_live(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def copy_of(home: Path, to: Path) -> Path:
    """A stopped store copied with its owners, cheaper than another initdb."""
    subprocess.run(["cp", "-a", home, to], check=True)
    return to
