"""One server process: seeing it, starting it detached, waiting until it is ready, stopping it.

A pid file proves nothing: its process may be dead, a zombie, or another program that got the
same number. Only a live `postgres` of this data folder counts, or an answer on its socket.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from busctl.adapters.embedded import processes
from busctl.adapters.embedded.binaries import Binaries
from busctl.adapters.embedded.cluster import last_lines
from busctl.adapters.embedded.home import PORT, Home
from busctl.core.errors import EmbeddedStoreError

_POLL_SECONDS = 0.003
_LOG_KEPT_BYTES = 10 * 1024 * 1024
# The shell ends at once, so that the server is nobody's child here and leaves no zombie.
_DETACH = '"$@" </dev/null >>"$0" 2>&1 & echo $!'
_ORPHANS = b"pre-existing shared memory block"


@dataclass(frozen=True)
class PidFile:
    """postmaster.pid: `started` in epoch seconds, `status` one of starting, ready, stopping."""

    pid: int
    started: int
    port: int
    socket_dir: Path
    status: str


def read_pid_file(data: Path) -> PidFile | None:
    """What the pid file says, pid 0 when it is damaged, None when there is none."""
    try:
        lines = (data / "postmaster.pid").read_bytes().splitlines()
    except FileNotFoundError:
        return None
    fields = [*lines, *[b""] * 8]
    return PidFile(
        pid=abs(_number(fields[0])),
        started=_number(fields[2]),
        port=_number(fields[3]),
        socket_dir=Path(os.fsdecode(fields[4])),
        status=fields[7].strip().decode("ascii", "replace") or "starting",
    )


def running(data: Path) -> PidFile | None:
    """The live server of `data`, in whatever status; None when there is none."""
    found = read_pid_file(data)
    if found is None:
        return None
    return found if serves(found.pid, data) or _answers(found) else None


def serves(pid: int, data: Path) -> bool:
    """Whether `pid` is a live postgres (no zombie) that was started on `data`."""
    program, *words = processes.command_line(pid) or [b""]
    if Path(os.fsdecode(program)).name not in ("postgres", "postmaster"):
        return False
    return os.fsencode(data) in words or processes.folder_of(pid) == data


def bring_up(place: Home, binaries: Binaries, wait_seconds: float) -> PidFile:
    """Start the server, or join one that is starting, and wait until it takes connections.

    Only with the start lock held. Raises EmbeddedStoreError with the end of the server's log;
    a server that is still recovering after `wait_seconds` is left to finish.
    """
    deadline = time.monotonic() + wait_seconds
    child, mark = 0, 0
    while time.monotonic() < deadline:
        found = running(place.data)
        if found is not None and found.status == "ready":
            return found
        if found is None and not processes.alive(child):
            if child:
                _explain_death(place, mark)
            mark = _rotated_log_size(place)
            child = _launch(place, binaries)
        time.sleep(_POLL_SECONDS)
    raise EmbeddedStoreError(
        f"The server of {place.path} was not ready after {wait_seconds:g} s:\n"
        f"{last_lines(_log_since(place, mark))}",
        remedy="It may be recovering: try again, and see `busctl store status`.",
    )


def shut_down(place: Home, found: PidFile, wait_seconds: float, *, force: bool = False) -> None:
    """Stop the server: sessions are ended and everything committed is kept (fast shutdown).

    With `force`, one that does not end in time is stopped at once, and recovers at its next
    start. Raises EmbeddedStoreError when it is still there.
    """
    if _signal_until_gone(found.pid, place.data, signal.SIGINT, wait_seconds):
        return
    if force and _signal_until_gone(found.pid, place.data, signal.SIGQUIT, wait_seconds):
        return
    raise EmbeddedStoreError(
        f"The server of {place.path} (pid {found.pid}) did not stop in {wait_seconds:g} s.",
        remedy=f"See {place.log}; `busctl store stop --force` stops it without waiting.",
    )


def _launch(place: Home, binaries: Binaries) -> int:
    os.close(place.opened(place.log.name, os.O_WRONLY | os.O_APPEND))
    stale = read_pid_file(place.data)
    socket_dir = place.socket_dir()
    if stale is not None and stale.pid == 0:
        # Empty or unreadable, as a power cut leaves it: PostgreSQL would refuse it for ever. The
        # key of its shared memory still guards against a second server.
        (place.data / "postmaster.pid").unlink()
    _clear_socket_lock(socket_dir / f".s.PGSQL.{PORT}.lock", place.data)
    folder = str(socket_dir).replace('"', '""')
    answer = place.account.run(
        [
            "/bin/sh", "-c", _DETACH, place.log,
            binaries.program("postgres"), "-D", place.data, "-p", str(PORT),
            "-k", f'"{folder}"', "-c", "listen_addresses=",
        ],
        # PostgreSQL does not start while the pid of a stale file is some live process (another
        # program by now, or a zombie), unless it is told that this is not a server. It still
        # looks for backends that outlived the old one.
        environment={"PG_GRANDPARENT_PID": str(stale.pid)} if stale else {},
    )  # fmt: skip
    if answer.returncode != 0 or not answer.stdout.strip().isdigit():
        raise EmbeddedStoreError(
            f"The server of {place.path} could not be started:\n{last_lines(answer.stdout)}"
        )
    return int(answer.stdout)


def _clear_socket_lock(path: Path, data: Path) -> None:
    """Remove a lock that names no server of `data`: the socket's folder is this store's alone."""
    if path.exists() and not serves(abs(_number(path.read_bytes().partition(b"\n")[0])), data):
        path.unlink(missing_ok=True)


def _explain_death(place: Home, mark: int) -> None:
    """Raise with what the dead server said. Backends of a killed one take a moment to notice
    that they are orphans; then return, to try again."""
    said = _log_since(place, mark)
    if _ORPHANS in said:
        time.sleep(10 * _POLL_SECONDS)
        return
    raise EmbeddedStoreError(
        f"The server of {place.path} did not start:\n{last_lines(said)}",
        remedy=f"The whole log is {place.log}.",
    )


def _signal_until_gone(pid: int, data: Path, number: signal.Signals, seconds: float) -> bool:
    if not serves(pid, data):
        # It answers on its socket and is not to be seen: a container beside this one runs it.
        return running(data) is None
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return True
    deadline = time.monotonic() + seconds
    while serves(pid, data) or _is_exiting(pid):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _is_exiting(pid: int) -> bool:
    """Whether a process has lost its memory, and so its command line, but is not gone yet: its
    files and sockets may still be open."""
    return processes.alive(pid) and not any(processes.command_line(pid))


def _rotated_log_size(place: Home) -> int:
    """Bytes already in the log, after putting one of over 10 MiB aside."""
    if not place.log.exists():
        return 0
    size = place.log.stat().st_size
    if size <= _LOG_KEPT_BYTES:
        return size
    place.log.rename(place.log.with_suffix(".log.1"))
    return 0


def _log_since(place: Home, mark: int) -> bytes:
    if not place.log.exists():
        return b""
    with place.log.open("rb") as file:
        file.seek(max(mark, place.log.stat().st_size - 64 * 1024))
        return file.read()


def _number(field: bytes) -> int:
    text = field.strip()
    return int(text) if text.removeprefix(b"-").isdigit() else 0


def _answers(found: PidFile) -> bool:
    # A server in another pid namespace (a container sharing the volume) is alive all the same.
    if not found.socket_dir.is_absolute():
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(found.socket_dir / f".s.PGSQL.{found.port}"))
        except OSError:
            return False
    return True
