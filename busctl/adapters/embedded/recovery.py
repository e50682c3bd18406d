"""Back a store up while it is in use, and put a backup in a store's place."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from busctl.adapters.embedded import archive, binaries, cluster, locks, postmaster
from busctl.adapters.embedded.home import (
    Home,
    locate,
    naming_failures,
    prepare,
    settle,
    sync_folder,
)
from busctl.adapters.embedded.lifecycle import Server, acquire, tree_bytes
from busctl.core.errors import EmbeddedStoreError, FileFailed, StoreThere

_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class BackupReport:
    """`size_bytes` of `files` files before compression; `stored_size_bytes` and `checksum`
    (SHA-256, hexadecimal) of the file at `path`; `version` of PostgreSQL."""

    path: Path
    files: int
    size_bytes: int
    stored_size_bytes: int
    checksum: str
    version: str


def backup(home: Path, to: Path, *, bin_dir: Path | None = None) -> BackupReport:
    """Write the whole store, as of one moment, to the new file `to` (mode 0600).

    The server is started if it is stopped, and goes on working meanwhile. Needs free space of
    the store's size in its own file system while it runs. Raises EmbeddedStoreError, and
    FileFailed where `to` cannot be written; then `to` does not exist.
    """
    with naming_failures(home):
        place = locate(home)
        if not place.exists():
            raise EmbeddedStoreError(
                f"There is no store in {place.path}.", remedy="Check BUSCTL_STORE_DIR."
            )
        if to.exists():
            raise EmbeddedStoreError(f"{to} exists.", remedy="Give the backup another name.")
        with acquire(home, bin_dir=bin_dir) as lease:
            copy = place.aside("backup-")
            try:
                _take(place, lease.server, copy, bin_dir)
                return _pack(copy, to, lease.server.version)
            finally:
                shutil.rmtree(copy)


def restore(
    home: Path,
    source: Path,
    *,
    replace: bool = False,
    bin_dir: Path | None = None,
    wait_seconds: float = _WAIT_SECONDS,
) -> None:
    """Make the store at `home` from a backup. Everything is written aside and verified before
    the old store, if there is one, is moved out of the way; until then it stays as it was.

    Raises StoreThere when a store exists and `replace` is not given, BackupDamaged for a backup
    that is damaged or not one of ours, and EmbeddedStoreError when a server runs or the backup is
    of another version of PostgreSQL.
    """
    with naming_failures(home):
        place = prepare(home)
        with locks.deciding(place, wait_seconds) as lock, source.open("rb") as file:
            _require_free(place)
            settle(place)
            _require_replaceable(place, replace)
            chosen = binaries.reachable(binaries.find(bin_dir), place.account, place.path.parent)
            aside = place.path / f"data.new-{secrets.token_hex(4)}"
            aside.mkdir(0o700)
            try:
                archive.unpack(file, source, aside, major=chosen.major)
                cluster.write_access(aside, place.account)
                _hand_over(place, aside)
                _sync(place, chosen, aside, lock)
                _swap(place, aside)
            finally:
                if aside.exists():
                    shutil.rmtree(aside)


def _take(place: Home, server: Server, copy: Path, bin_dir: Path | None) -> None:
    """pg_basebackup into `copy`/data, with the WAL that makes it consistent."""
    needed, free = tree_bytes(place.data), shutil.disk_usage(place.path).free
    if free < needed:
        raise EmbeddedStoreError(
            f"A backup of {place.path} needs {needed} bytes of free space there; {free} are left.",
            remedy="Free some space first, for example with `busctl cleanup`.",
        )
    chosen = binaries.reachable(binaries.find(bin_dir), place.account, place.path.parent)
    answer = place.account.run(
        [
            chosen.program("pg_basebackup"), "--pgdata", copy / "data", "--format", "plain",
            "--wal-method", "stream", "--checkpoint", "fast", "--manifest-checksums", "SHA256",
            "--no-sync", "--no-password", "--host", server.socket_dir,
            "--port", str(server.port), "--username", cluster.ROLE,
        ]
    )  # fmt: skip
    if answer.returncode != 0:
        raise EmbeddedStoreError(
            f"The store {place.path} could not be backed up:\n{cluster.last_lines(answer.stdout)}"
        )


def _pack(copy: Path, to: Path, version: str) -> BackupReport:
    part = to.with_name(f".{to.name}.{secrets.token_hex(4)}")
    try:
        manifest, whole = _write(copy, part, version)
        part.rename(to)
        sync_folder(to.absolute().parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileFailed(f"The backup {to} was not written: {reason}.") from error
    finally:
        with suppress(OSError):  # it may be what could not be made
            part.unlink()
    size = sum(entry.size_bytes for entry in manifest.values())
    return BackupReport(to, len(manifest), size, whole.size_bytes, whole.sha256, version)


def _write(copy: Path, part: Path, version: str) -> tuple[dict[str, archive.Entry], archive.Entry]:
    major = cluster.major_of(copy / "data")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        written = archive.pack(copy / "data", file, version=version, major=major)
        file.flush()
        os.fsync(file.fileno())
    return written


def _require_free(place: Home) -> None:
    found = postmaster.running(place.data)
    if found is not None or locks.in_use(place):
        raise EmbeddedStoreError(
            f"The store {place.path} is in use{f' (pid {found.pid})' if found else ''}.",
            remedy="Stop it with `busctl store stop`, then restore.",
        )


def _require_replaceable(place: Home, replace: bool) -> None:
    if place.exists() and not replace:
        raise StoreThere(f"There is a store in {place.path} already; nothing was changed.")


def _hand_over(place: Home, aside: Path) -> None:
    """To the server's user: contents first, so that nobody reaches in before all are given."""
    for folder, _, files in os.walk(aside, topdown=False):
        for name in files:
            place.account.give(Path(folder) / name)
        place.account.give(Path(folder))


def _sync(place: Home, chosen: binaries.Binaries, aside: Path, lock: int) -> None:
    answer = place.account.run(
        [chosen.program("initdb"), "--sync-only", "--pgdata", aside], held=(lock,)
    )
    if answer.returncode != 0:
        raise EmbeddedStoreError(
            f"The restored files could not be made durable in {place.path}:\n"
            f"{cluster.last_lines(answer.stdout)}"
        )


def _swap(place: Home, aside: Path) -> None:
    """Two renames; a crash between them is undone by `settle` at the next start."""
    old = place.path / f"data.old-{secrets.token_hex(4)}"
    if place.data.exists():
        place.data.rename(old)
    aside.rename(place.data)
    sync_folder(place.path)
    if old.exists():
        shutil.rmtree(old)
