"""Running `busctl` in a process of its own (tests/forks), on a store of the test's own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.forks.client import Forked, run

COMMAND = [sys.executable, "-P", "-m", "busctl"]
MEASURE = """
import os, subprocess, sys
with open(os.environ["MEASURED_INPUT"], "rb") as given, open(os.devnull, "wb") as dropped:
    child = subprocess.Popen(sys.argv[1:], stdin=given, stdout=dropped)
    _, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        assert value["version"] == 1
        return value


def environment(dsn: str | None) -> dict[str, str]:
    """This process's environment with the store in it and no terminal's habits."""
    plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "TERM")}
    return plain | ({"DATABASE_URL": dsn} if dsn else {})


def busctl(dsn: str | None, *args: object, given: bytes = b"", **settings: str) -> Ran:
    """Run to the end. Nothing that a user sees may be a traceback."""
    done = run(args, given=given, env=environment(dsn) | settings, timeout=60)
    err = done.stderr.decode()
    assert "Traceback" not in err, err
    return Ran(done.returncode, done.stdout, err)


def put(dsn: str, payload: bytes, *args: object) -> str:
    """The id of a new message with that payload."""
    done = busctl(dsn, "put", "-", *args, given=payload)
    assert done.code == 0, done.err
    return done.text.strip()


def start(dsn: str, *args: object, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start and return at once, all streams piped."""
    return Forked(
        [*map(str, args)], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(dsn),
    )  # fmt: skip


def on_terminal(
    dsn: str, *args: object, columns: int = 80, typed: bytes = b"", no_color: str = "1"
) -> tuple[int, str]:
    """Run with all three streams on a terminal; returns the exit code and what it showed."""
    mine, theirs = pty.openpty()
    env = environment(dsn) | {"COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": no_color}
    child: Forked[bytes] = Forked(
        [*map(str, args)], stdin=theirs, stdout=theirs, stderr=theirs, env=env
    )
    os.close(theirs)
    os.write(mine, typed)
    shown = b""
    with suppress(OSError):  # EIO: how Linux says that the other side of a terminal has closed
        while piece := os.read(mine, 65_536):
            shown += piece
    os.close(mine)
    return child.wait(timeout=60), shown.decode().replace("\r\n", "\n")


def peak_kib(dsn: str, given: str, *args: object) -> int:
    """Peak resident memory of a run in KiB. A small process starts it: a child's figure begins
    with that of whoever forked it, and this test's own process is large."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", MEASURE, *COMMAND, *map(str, args)], capture_output=True,
        env=environment(dsn) | {"MEASURED_INPUT": given}, timeout=100, check=True,
    )  # fmt: skip
    code, peak = map(int, done.stdout.split())
    assert code == 0, done.stderr.decode()
    return peak


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; a minute without it is a failure."""
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.02)
