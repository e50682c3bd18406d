"""`subprocess` for busctl, without the second that Python takes to import it: see server.py."""

from __future__ import annotations

import atexit
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, AnyStr, Literal, overload

from tests.forks.server import Request

SERVER = Path(__file__).with_name("server.py")
SCRIPT = str(Path(sys.executable).with_name("busctl"))


@cache
def _server() -> socket.socket:
    """The socket of this test process's own server, started when it is first needed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        started = subprocess.Popen(
            [sys.executable, "-P", SERVER, str(theirs.fileno())], pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def end() -> None:
        ours.close()
        started.wait()

    atexit.register(end)
    return ours


def _of_the_interpreter(environment: Mapping[str, str]) -> dict[str, str]:
    """What Python reads once, at its start. Everything of busctl's is on the server's path."""
    read = ("PYTHON", "LC_", "LANG")
    named = {name: value for name, value in environment.items() if name.startswith(read)}
    return {name: value for name, value in named.items() if name != "PYTHONPATH"}


class Forked(subprocess.Popen[AnyStr]):
    """A `Popen` whose process is a fork of the server: `Forked(["ls", "--json"], env=…)`.

    Overrides the three steps of CPython's POSIX `Popen` that know who the parent is (3.11 to
    3.14); a Python that names them otherwise fails at the first use.
    """

    _told: socket.socket

    def _execute_child(  # type: ignore[no-untyped-def]  # subprocess's own private signature
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo,
        creationflags, shell, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite,
        restore_signals, gid, gids, uid, umask, start_new_session, process_group,
    ) -> None:  # fmt: skip
        assert not (preexec_fn or pass_fds or shell)
        environment = dict(os.environ if env is None else env)
        read = _of_the_interpreter(environment).items()
        assert read <= _of_the_interpreter(os.environ).items(), f"start Python: {read}"
        request: Request = (
            [SCRIPT, *args], environment, os.fspath(cwd or Path.cwd()), start_new_session,
        )  # fmt: skip
        streams: list[int] = [
            given if given != -1 else number
            for number, given in enumerate((p2cread, c2pwrite, errwrite))
        ]
        self._told, teller = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with teller:
            sent = pickle.dumps(request)
            socket.send_fds(_server(), [sent], [*streams, teller.fileno()])
        self.pid = pickle.loads(self._told.recv(100))
        self._child_created = True
        self._close_pipe_fds(  # type: ignore[attr-defined]  # private to subprocess
            p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite
        )

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        self._told.setblocking(not wait_flags & os.WNOHANG)
        try:
            status = int(pickle.loads(self._told.recv(100)))
        except BlockingIOError:
            return 0, 0
        self._told.close()
        return self.pid, status

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        if self.returncode is None:
            pid, status = self._try_wait(os.WNOHANG)
            if pid:
                self._handle_exitstatus(status)  # type: ignore[attr-defined]  # private to subprocess
        return self.returncode


@overload
def run(
    args: Sequence[object], *, text: Literal[True], given: str | None = None, **more: Any
) -> subprocess.CompletedProcess[str]: ...


@overload
def run(
    args: Sequence[object], *, text: Literal[False] = False, given: bytes | None = None, **more: Any
) -> subprocess.CompletedProcess[bytes]: ...


def run(
    args: Sequence[object], *, text: bool = False, given: Any = None, timeout: float = 100,
    **more: Any,
) -> subprocess.CompletedProcess[Any]:  # fmt: skip
    """Run to the end with both outputs caught; without `given` the input is empty."""
    stdin = subprocess.DEVNULL if given is None else subprocess.PIPE
    command = [str(arg) for arg in args]
    with Forked[Any](
        command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=text, **more
    ) as process:
        try:
            out, err = process.communicate(given, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)
