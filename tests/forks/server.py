"""Imports all of busctl once and forks a process for every command line it is asked for.

Most of what `busctl` does in a test is importing: 0.25 s of 0.3 s. A fork has it done already and
is a process in every other way: its own pid, streams, directory, environment, signals and exit
code. What the interpreter itself does at its start and end (PYTHON*, the locale, the modules that
one command imports and another does not, tearing them down) is what it cannot show;
tests/cli/test_processes.py starts every command as its user does.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import pickle
import pkgutil
import selectors
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import audits
import busctl

REQUEST_BYTES = 200_000
STREAMS = 3
# argv, environment, folder, whether in a session of its own. The descriptors of the streams, and
# one over which to tell the process's id and end, come beside.
Request = tuple[list[str], dict[str, str], str, bool]


def import_everything() -> None:
    for package in (busctl, audits):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)


def serve(asked: socket.socket) -> None:
    """Fork until nobody asks any more, which exits; returns in each forked process."""
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, _noticed)
    signal.set_wakeup_fd(wake.fileno())
    tellers: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as ready:
        for one in (asked, woken):
            ready.register(one, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is woken:
                    woken.recv(4096)
                    _tell_ends(tellers)
                elif _forked(asked, tellers):
                    return


def _noticed(number: int, frame: FrameType | None) -> None:
    """A handler of Python's, so that the selector wakes."""


def _tell_ends(tellers: dict[int, socket.socket]) -> None:
    while tellers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with tellers.pop(pid) as teller:
            teller.send(pickle.dumps(status))


def _forked(asked: socket.socket, tellers: dict[int, socket.socket]) -> bool:
    """Take one request; True in the new process."""
    message, descriptors, _, _ = socket.recv_fds(asked, REQUEST_BYTES, STREAMS + 1)
    if not message:
        os._exit(0)
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _become(pickle.loads(message), descriptors[:STREAMS])
        return True
    for descriptor in descriptors[:STREAMS]:
        os.close(descriptor)
    tellers[pid] = socket.socket(fileno=descriptors[STREAMS])
    tellers[pid].send(pickle.dumps(pid))
    return False


def _become(request: Request, streams: list[int]) -> None:
    argv, environment, folder, new_session = request
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(STREAMS, os.sysconf("SC_OPEN_MAX"))
    if new_session:
        os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv[:] = argv
    sys.stdin = sys.__stdin__ = _reopened(0, "r")  # type: ignore[misc]  # typeshed has these as Final
    sys.stdout = sys.__stdout__ = _reopened(1, "w")  # type: ignore[misc]  # typeshed has these as Final
    sys.stderr = sys.__stderr__ = _reopened(2, "w")  # type: ignore[misc]  # typeshed has these as Final


def _reopened(number: int, mode: str) -> io.TextIOWrapper:
    """As the interpreter opens them at its start: who reads them decides how they are buffered."""
    first = (sys.__stdin__, sys.__stdout__, sys.__stderr__)[number]
    assert first is not None
    binary = open(number, f"{mode}b", closefd=False)  # noqa: SIM115 - it lives as long as we
    return io.TextIOWrapper(
        binary, encoding=first.encoding, errors=first.errors,
        line_buffering=number == 2 or binary.isatty(),
    )  # fmt: skip


def _code_of_main() -> int:
    """The exit code. What is no number ends the process by Python's own ending instead."""
    from busctl.cli.app import main

    try:
        main()
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            raise
        return ended.code or 0
    return 0


def _end(code: int) -> NoReturn:
    """Python's own ending, without taking to pieces the modules that this process shares."""
    threading._shutdown()  # type: ignore[attr-defined]  # private to threading
    atexit._run_exitfuncs()
    gc.collect()  # objects that complain when they go
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code & 0xFF)


if __name__ == "__main__":
    import_everything()
    gc.collect()
    gc.freeze()  # what is shared stays shared: the forks' collector does not touch it
    assert len(list(Path("/proc/self/task").iterdir())) == 1, (
        "a thread would be missing in every fork"
    )
    serve(socket.socket(fileno=int(sys.argv[1])))

    _end(_code_of_main())
