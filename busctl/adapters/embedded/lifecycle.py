"""Start, stop, status, and the lease that shares one server between processes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from busctl.adapters.embedded import binaries, cluster, locks, postmaster
from busctl.adapters.embedded.home import Home, locate, naming_failures, prepare, settle
from busctl.core.errors import EmbeddedStoreError

_STATE = "state.json"
_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """A server that takes connections. `dsn` is a libpq URI over the Unix socket; who may use
    it is decided by the kernel's word on the peer, so it holds no secret."""

    home: Path
    socket_dir: Path
    port: int
    pid: int
    version: str
    dsn: str
    as_user: str


@dataclass(frozen=True)
class Status:
    """A store as found. `stale`: a server died without cleaning up, the next start recovers.
    `version` is the running server's, else the major version of the data; `users` is the number
    of leases, None where the system cannot tell."""

    state: Literal["running", "stopped", "stale", "absent"]
    home: Path
    data_dir: Path
    pid: int | None
    version: str | None
    size_bytes: int
    users: int | None
    kept: bool


class Lease:
    """One use of the server; the last one to be released stops it, unless it is kept."""

    def __init__(self, place: Home, server: Server, descriptor: int) -> None:
        self.server = server
        self._place = place
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Give the lease back, once; further calls do nothing. Raises EmbeddedStoreError when
        the server had to be stopped and did not stop."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with naming_failures(self._place.path):
            try:
                with locks.deciding(self._place, _WAIT_SECONDS):
                    _stop_if_last(self._place, descriptor)
            finally:
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def start(
    home: Path,
    *,
    bin_dir: Path | None = None,
    keep: bool = False,
    wait_seconds: float = _WAIT_SECONDS,
) -> Server:
    """Make the store if it is not there, start its server if none is running, and wait for it.

    `keep` marks this server to stay up when its last user leaves. Raises EmbeddedStoreError.
    """
    with naming_failures(home):
        place = prepare(home)
        with locks.deciding(place, wait_seconds) as lock:
            return _start(place, bin_dir, keep, wait_seconds, lock)


def acquire(
    home: Path, *, bin_dir: Path | None = None, wait_seconds: float = _WAIT_SECONDS
) -> Lease:
    """`start`, and a lease that keeps the server up until it is released or this process ends.

    Raises EmbeddedStoreError.
    """
    with naming_failures(home):
        place = prepare(home)
        with locks.deciding(place, wait_seconds) as lock:
            server = _start(place, bin_dir, False, wait_seconds, lock)
            return Lease(place, server, locks.share(place))


def stop(home: Path, *, force: bool = False, wait_seconds: float = _WAIT_SECONDS) -> bool:
    """Stop the server; False when none was running. Without `force` one that is in use is left
    alone: EmbeddedStoreError."""
    with naming_failures(home):
        place = locate(home)
        if not place.exists():
            return False
        with locks.deciding(place, wait_seconds):
            found = postmaster.running(place.data)
            if found is None:
                return False
            if not force and locks.in_use(place):
                users = locks.count_users(place) or "other"
                raise EmbeddedStoreError(
                    f"The store {place.path} is in use by {users} process(es).",
                    remedy="End them first, or use `busctl store stop --force`.",
                )
            postmaster.shut_down(place, found, wait_seconds, force=force)
            return True


def status(home: Path) -> Status:
    """Look, without a lock and without changing anything. Raises EmbeddedStoreError when the
    store may not be read."""
    with naming_failures(home):
        place = locate(home)
        if not place.exists():
            return Status("absent", place.path, place.data, None, None, 0, 0, False)
        found = postmaster.running(place.data)
        state: Literal["running", "stopped", "stale"] = "running" if found else "stopped"
        if found is None and postmaster.read_pid_file(place.data) is not None:
            state = "stale"
        return Status(
            state=state,
            home=place.path,
            data_dir=place.data,
            pid=found.pid if found else None,
            version=_version(place, found),
            size_bytes=tree_bytes(place.data),
            users=locks.count_users(place),
            kept=bool(found and _state_of(place, found).get("kept")),
        )


def _start(place: Home, bin_dir: Path | None, keep: bool, wait_seconds: float, lock: int) -> Server:
    found = postmaster.running(place.data)
    if found is None or found.status != "ready":
        found = _launch(place, bin_dir, wait_seconds, lock)
    if keep:
        _write_state(place, found, _version(place, found), kept=True)
    return _server(place, found)


def _launch(
    place: Home, bin_dir: Path | None, wait_seconds: float, lock: int
) -> postmaster.PidFile:
    chosen = binaries.find(bin_dir)
    chosen = binaries.reachable(chosen, place.account, place.path.parent)
    if postmaster.running(place.data) is None:
        settle(place)
    if place.exists():
        cluster.require_same_major(place.data, chosen)
    else:
        cluster.create(place, chosen, (lock,))
    found = postmaster.bring_up(place, chosen, wait_seconds)
    _write_state(place, found, chosen.version, kept=False)
    return found


def _stop_if_last(place: Home, lease: int) -> None:
    if not locks.is_last(lease):
        return
    found = postmaster.running(place.data)
    if found is not None and not _state_of(place, found).get("kept"):
        postmaster.shut_down(place, found, _WAIT_SECONDS)


def _server(place: Home, found: postmaster.PidFile) -> Server:
    host = quote(str(found.socket_dir), safe="")
    return Server(
        home=place.path,
        socket_dir=found.socket_dir,
        port=found.port,
        pid=found.pid,
        version=_version(place, found),
        dsn=f"postgresql://{cluster.ROLE}@/{cluster.DATABASE}?host={host}&port={found.port}",
        as_user=place.account.name,
    )


def _version(place: Home, found: postmaster.PidFile | None) -> str:
    known = _state_of(place, found).get("version") if found else None
    return str(known) if known else str(cluster.major_of(place.data))


def _state_of(place: Home, found: postmaster.PidFile) -> dict[str, object]:
    """What was written about this very server; empty when the file is about another one."""
    try:
        state = json.loads((place.path / _STATE).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    same = state.get("pid") == found.pid and state.get("started") == found.started
    return dict(state) if same else {}


def _write_state(place: Home, found: postmaster.PidFile, version: str, *, kept: bool) -> None:
    state = {"pid": found.pid, "started": found.started, "version": version, "kept": kept}
    aside = f".{_STATE}-{os.getpid()}"
    with os.fdopen(place.opened(aside, os.O_WRONLY | os.O_TRUNC), "w", encoding="ascii") as file:
        json.dump(state, file)
    (place.path / aside).replace(place.path / _STATE)


def tree_bytes(folder: Path) -> int:
    """Bytes of the files below `folder`, as far as they are there while we look."""
    return sum(_file_bytes(Path(at) / name) for at, _, names in os.walk(folder) for name in names)


def _file_bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0  # a running server removes files while we look
