"""Making a database cluster: initdb aside, access rules, the database, then one rename."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import TextIO

from busctl.adapters.embedded.account import Account
from busctl.adapters.embedded.binaries import Binaries, folder_of_major
from busctl.adapters.embedded.home import Home, sync_folder
from busctl.core.errors import EmbeddedStoreError

DATABASE = "busctl"
ROLE = "busctl"
_LOG_LINES = 12

_SETTINGS = """
# --- busctl: the socket's folder and listen_addresses are given when the server starts ---
max_connections = 50
unix_socket_permissions = 0700
min_wal_size = 80MB
max_wal_size = 1GB
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""

_ACCESS = f"""# busctl: the Unix socket only, and only who the kernel says the peer is.
local all         {ROLE} peer map=busctl
local replication {ROLE} peer map=busctl
"""


def create(place: Home, binaries: Binaries, held: tuple[int, ...]) -> None:
    """Make HOME/data with the role and the database "busctl", or leave nothing."""
    aside = place.aside("data.new-")
    try:
        _initdb(place.account, binaries, aside, held)
        _append(aside / "postgresql.conf", _SETTINGS)
        write_access(aside, place.account)
        _create_database(place.account, binaries, aside, held)
        aside.rename(place.data)
        sync_folder(place.path)
    finally:
        if aside.exists():
            shutil.rmtree(aside)


def write_access(data: Path, account: Account) -> None:
    """Who may connect: root and the server's own user, as the role "busctl"."""
    names = {pwd.getpwuid(0).pw_name, account.name}
    mapping = "".join(f'busctl "{name}" {ROLE}\n' for name in sorted(names))
    _rewrite(data / "pg_hba.conf", _ACCESS, account)
    _rewrite(data / "pg_ident.conf", mapping, account)


def require_same_major(data: Path, binaries: Binaries) -> None:
    """Raise EmbeddedStoreError when `data` was made by another major version."""
    major = major_of(data)
    if major == binaries.major:
        return
    fitting = folder_of_major(major)
    use = f"BUSCTL_PG_BIN={fitting}" if fitting else f"BUSCTL_PG_BIN to the bin folder of {major}"
    raise EmbeddedStoreError(
        f"The store {data} was made by PostgreSQL {major}; the programs in "
        f"{binaries.bin_dir} are {binaries.version}.",
        remedy=f"Set {use} to use it as it is; to move it to {binaries.major}, run "
        "`busctl export` that way and `busctl import` into a new BUSCTL_STORE_DIR.",
    )


def major_of(data: Path) -> int:
    text = (data / "PG_VERSION").read_text("ascii", "replace").strip()
    if not text.isdigit():
        raise EmbeddedStoreError(
            f"{data / 'PG_VERSION'} does not hold a version.",
            remedy="Restore the store from a backup with `busctl store restore`.",
        )
    return int(text)


def last_lines(output: bytes) -> str:
    """The end of a program's output, as it goes into an error."""
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return "\n".join(lines[-_LOG_LINES:]) or "It said nothing."


def _initdb(account: Account, binaries: Binaries, data: Path, held: tuple[int, ...]) -> None:
    answer = account.run(
        [
            binaries.program("initdb"), "--pgdata", data, "--username", ROLE,
            "--encoding", "UTF8", "--locale", "C", "--data-checksums",
            "--auth-local", "peer", "--auth-host", "reject",
        ],
        held=held,
    )  # fmt: skip
    if answer.returncode != 0:
        raise EmbeddedStoreError(
            f"initdb could not make the store in {data.parent}:\n{last_lines(answer.stdout)}",
            remedy="Nothing was left behind: cure the cause and try again.",
        )


def _create_database(
    account: Account, binaries: Binaries, data: Path, held: tuple[int, ...]
) -> None:
    answer = account.run(
        [
            binaries.program("postgres"), "--single", "-D", data,
            "-c", "exit_on_error=on", "-c", "log_checkpoints=off", "postgres",
        ],
        stdin=f"CREATE DATABASE {DATABASE}\n".encode("ascii"),
        held=held,
    )  # fmt: skip
    if answer.returncode != 0 or b"ERROR" in answer.stdout or b"FATAL" in answer.stdout:
        raise EmbeddedStoreError(
            f"The database could not be made in {data.parent}:\n{last_lines(answer.stdout)}",
            remedy="Nothing was left behind: cure the cause and try again.",
        )


def _append(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(text)
        _sync(file)


def _rewrite(path: Path, text: str, account: Account) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        account.give(file.fileno())
        _sync(file)


def _sync(file: TextIO) -> None:
    file.flush()
    os.fsync(file.fileno())
