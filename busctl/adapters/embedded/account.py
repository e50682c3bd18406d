"""The operating-system user that runs the server, and what that user can reach.

PostgreSQL refuses to run as root. Root therefore runs it as the owner of an existing store, or
as `nobody`; anybody else runs it as themselves. No user is made and no folder's mode changed.
"""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from busctl.core.errors import EmbeddedStoreError

_UNPRIVILEGED = "nobody"
# Nothing of the caller's environment reaches the server: a PGDATA or PGPORT there would win.
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True)
class Account:
    """One entry of passwd; `switched` says that processes must change to it."""

    uid: int
    gid: int
    name: str

    @property
    def switched(self) -> bool:
        return self.uid != os.geteuid()

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        stdin: bytes = b"",
        held: tuple[int, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `argv` as this user to its end, stdout and stderr joined in `stdout`.

        `held` are lock descriptors that stay locked until the program ends, even when this
        process is killed. Raises OSError when it cannot be run.
        """
        as_user: dict[str, Any] = {}
        if self.switched:
            as_user = {"user": self.uid, "group": self.gid, "extra_groups": []}
        return subprocess.run(
            argv,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd="/",
            env=_ENVIRONMENT | (environment or {}),
            pass_fds=held,
            start_new_session=True,
            umask=0o077,
            **as_user,
        )

    def may_enter(self, folder: Path) -> bool:
        """Whether this user may traverse `folder`, an existing one."""
        return self._permitted(folder) or self._tried("-x", folder)

    def may_execute(self, program: Path) -> bool:
        return closed_folder(self, program.parent) is None and (
            self._permitted(program) or self._tried("-x", program)
        )

    def give(self, created: int | Path) -> None:
        """Make this user the owner of an open file, or a folder, that we have just created."""
        if self.switched and isinstance(created, int):
            os.chown(created, self.uid, self.gid)
        elif self.switched:
            os.chown(created, self.uid, self.gid, follow_symlinks=False)

    def _permitted(self, path: Path) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)

    def _tried(self, test: str, path: Path) -> bool:
        # Mode bits said no; an access control list may still say yes.
        return self.run(["/bin/sh", "-c", f'test {test} "$0"', path]).returncode == 0


def account_of(uid: int) -> Account:
    """The passwd entry of `uid`; raises EmbeddedStoreError where there is none."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError as error:
        raise EmbeddedStoreError(
            f"The user id {uid} has no name in /etc/passwd, and PostgreSQL needs one.",
            remedy="Add an entry for it, run as a named user, or set DATABASE_URL.",
        ) from error
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def account_for(home: Path) -> Account:
    """Who runs the server of the store at `home` (which need not exist yet)."""
    owner = _owner(home / "data")
    if os.geteuid() == 0:
        return account_of(owner or _owner(home) or _unprivileged_uid())
    if owner is not None and owner != os.geteuid():
        raise EmbeddedStoreError(
            f"The store {home} belongs to user id {owner}, and you are {os.geteuid()}.",
            remedy="Run as its owner, or set BUSCTL_STORE_DIR to a folder of your own.",
        )
    return account_of(os.geteuid())


def closed_folder(account: Account, path: Path) -> Path | None:
    """The first existing folder on the way to `path` (included) that `account` cannot enter."""
    if not account.switched:
        return None
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            return None
        if not account.may_enter(folder):
            return folder
    return None


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except FileNotFoundError:
        return None


def _unprivileged_uid() -> int:
    try:
        return pwd.getpwnam(_UNPRIVILEGED).pw_uid
    except KeyError as error:
        raise EmbeddedStoreError(
            f"PostgreSQL cannot run as root and there is no user {_UNPRIVILEGED!r} to run it.",
            remedy="Run busctl as an ordinary user, or set DATABASE_URL.",
        ) from error
