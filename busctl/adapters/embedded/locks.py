"""Two locks of the kernel's, which end with the process that holds them, however it ends.

`start.lock` is held alone by whoever decides to start or stop. `lease.lock` is shared by every
user of the server; who gets it alone is the last one. Descriptors are close-on-exec, and the
server is started by a program that inherits none.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from busctl.adapters.embedded.home import START_LOCK, Home
from busctl.core.errors import EmbeddedStoreError

_LEASE = "lease.lock"
_POLL_SECONDS = 0.005


@contextmanager
def deciding(place: Home, wait_seconds: float) -> Iterator[int]:
    """Hold the start lock and yield its descriptor. Raises EmbeddedStoreError when another
    process still has it after `wait_seconds`."""
    descriptor = place.opened(START_LOCK, os.O_RDWR)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _locked(descriptor, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                raise EmbeddedStoreError(
                    f"Another process has been starting or stopping the store {place.path} "
                    f"for {wait_seconds:g} s.",
                    remedy="Try again; `fuser` on its start.lock names the process.",
                )
            time.sleep(_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def share(place: Home) -> int:
    """A descriptor that counts as one user until it is closed. Only with the start lock held."""
    descriptor = place.opened(_LEASE, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_last(descriptor: int) -> bool:
    """Whether no other user is left. Only with the start lock held; the lease is lost."""
    return _locked(descriptor, fcntl.LOCK_EX)


def in_use(place: Home) -> bool:
    """Whether anybody holds a lease. Only with the start lock held."""
    descriptor = place.opened(_LEASE, os.O_RDWR)
    try:
        return not _locked(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def count_users(place: Home) -> int | None:
    """Leases held now, by the kernel's table; None where it has none to read."""
    table, lease = Path("/proc/locks"), place.path / _LEASE
    if not table.exists():
        return None
    if not lease.exists():
        return 0
    held = [line.split() for line in table.read_text("ascii").splitlines() if " FLOCK " in line]
    shared = (words[5] for words in held if words[3] == "READ")
    return sum(1 for file in shared if _is_same_file(file, lease.stat()))


def _is_same_file(file: str, status: os.stat_result) -> bool:
    """`file` is MAJOR:MINOR:INODE, the first two in hexadecimal. Some file systems (btrfs,
    overlay) show stat another unnamed device (major 0) than they show here."""
    major, minor, inode = file.split(":")
    if int(inode) != status.st_ino or int(major, 16) != os.major(status.st_dev):
        return False
    return int(major, 16) == 0 or int(minor, 16) == os.minor(status.st_dev)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
