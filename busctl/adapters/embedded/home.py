"""The folder of one store: what lies where, who made it, and what an interrupted run left.

HOME/data          the database cluster          HOME/run         its Unix socket
HOME/server.log    what the server says          HOME/state.json  which server is up, kept?
HOME/start.lock    held while deciding           HOME/lease.lock  shared by every user
HOME/data.new-*    an initdb or a restore under way; HOME/data.old-* what one is replacing
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from busctl.adapters.embedded.account import Account, account_for, closed_folder
from busctl.core.errors import EmbeddedStoreError

PORT = 5432
START_LOCK = "start.lock"
_SOCKET = f".s.PGSQL.{PORT}"
_SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
_UNFINISHED = ("data.new-", "backup-")
_REPLACED = "data.old-"


def default_home() -> Path:
    """/var/lib/busctl/store for root, else `busctl/store` in the user's data folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/busctl/store")
    import platformdirs

    return Path(platformdirs.user_data_dir("busctl")) / "store"


@dataclass(frozen=True)
class Home:
    """An absolute path and the user whose server lives there."""

    path: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    def exists(self) -> bool:
        """Whether a finished database cluster is there."""
        return (self.data / "PG_VERSION").is_file()

    def aside(self, prefix: str) -> Path:
        """A new private folder in this home, owned by the server's user."""
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self.path))
        self.account.give(folder)
        return folder

    def opened(self, name: str, flags: int) -> int:
        """A descriptor of HOME/name, made with mode 0600 for the server's user if missing.

        Never follows a link: root works here in a folder that another user owns.
        """
        path = self.path / name
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            return os.open(path, flags | os.O_NOFOLLOW)
        self.account.give(descriptor)
        return descriptor

    def socket_dir(self) -> Path:
        """HOME/run, or a short private folder where that path does not fit a socket address."""
        folder = self.path / "run"
        address = os.fsencode(folder / _SOCKET)
        # libpq reads a comma in the host as the end of one host.
        if len(address) > _SOCKET_PATH_LIMIT or b"," in address:
            digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
            # TMPDIR may be long too, and differs between users.
            folder = Path("/tmp") / f"busctl-{self.account.uid}-{digest}"  # noqa: S108 (made 0700, its owner checked)
        _make_private(folder, self.account)
        return folder


def locate(home: Path) -> Home:
    """The store at `home`, made or not; nothing is created."""
    path = home.expanduser().resolve()
    return Home(path, account_for(path))


def prepare(home: Path) -> Home:
    """The store at `home`, its folder made with mode 0700 for the server's user if missing.

    Raises EmbeddedStoreError that names the folder which the server's user cannot enter.
    """
    place = locate(home)
    blocked = closed_folder(place.account, place.path)
    if blocked is not None:
        mode = stat.S_IMODE(blocked.stat().st_mode)
        raise EmbeddedStoreError(
            f"The server runs as {place.account.name}, who cannot enter {blocked} "
            f"(mode {mode:04o}) on the way to the store {place.path}.",
            remedy="Set BUSCTL_STORE_DIR to a folder whose parents everybody may enter, such as "
            "/var/lib/busctl/store. No folder's mode was changed.",
        )
    if not place.path.exists():
        _make_parents(place.path.parent, 0o755 if place.account.switched else 0o700)
        _make_home(place)
    return place


def settle(place: Home) -> None:
    """Clear what an interrupted initdb, restore or backup left. Only with the start lock held
    and no server up: a restore that had moved the old cluster away gets it back."""
    for folder in sorted(place.path.glob(f"{_REPLACED}*")):
        if not place.data.exists():
            folder.rename(place.data)
        else:
            shutil.rmtree(folder)
    for prefix in _UNFINISHED:
        for folder in place.path.glob(f"{prefix}*"):
            shutil.rmtree(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable, as a rename alone is not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def naming_failures(home: Path) -> Iterator[None]:
    """Turn what the operating system refuses (OSError) into an EmbeddedStoreError."""
    try:
        yield
    except OSError as error:
        raise EmbeddedStoreError(
            f"The store {home} could not be used: {error}.",
            remedy="Check the folder's owner and free space, or set BUSCTL_STORE_DIR to another.",
        ) from error


def _make_parents(folder: Path, mode: int) -> None:
    if folder.exists():
        return
    _make_parents(folder.parent, mode)
    try:
        folder.mkdir()
    except FileExistsError:
        return  # made by another process at this moment: its mode is not ours to set
    folder.chmod(mode)


def _make_home(place: Home) -> None:
    """Made aside and renamed, so that nobody sees it with the wrong owner; with a file in it,
    so that of two processes the later one cannot rename its own over the first one's."""
    aside = Path(tempfile.mkdtemp(prefix=f".{place.path.name[:32]}-", dir=place.path.parent))
    try:
        place.account.give(aside)
        os.close(Home(aside, place.account).opened(START_LOCK, os.O_RDWR))
        aside.rename(place.path)
        sync_folder(place.path.parent)
    except OSError:
        shutil.rmtree(aside)
        if not place.path.is_dir():
            raise


def _make_private(folder: Path, account: Account) -> None:
    try:
        folder.mkdir(0o700)
    except FileExistsError:
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid:
            return
        raise EmbeddedStoreError(
            f"{folder} is needed for the server's socket and belongs to somebody else.",
            remedy="Remove it, or set BUSCTL_STORE_DIR to a shorter path.",
        ) from None
    account.give(folder)
