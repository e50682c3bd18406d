"""The spool's folder `aside`: files that will not be stored, kept for a person, `<id>.<why>`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from busctl.adapters import spool_file
from busctl.adapters.spool_file import Damaged
from busctl.core.errors import FileFailed, InvalidId, MessageMissing
from busctl.core.ids import parse_id

ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class SetAside:
    """One file there: why it was not stored, its bytes, since when it is there, and the tool and
    payload size that its envelope names. `fault` says why that cannot be read, "" if it can."""

    transaction_id: UUID
    why: str
    path: Path
    size_bytes: int
    since: datetime
    tool_name: str | None = None
    payload_size_bytes: int | None = None
    fault: str = ""


def set_aside(spool: Path) -> Sequence[SetAside]:
    """What was set aside of the spool in that folder, the longest there first."""
    found = [_look(spool / ASIDE / name) for name, _ in known_sizes(spool)]
    return sorted(found, key=lambda one: one.since)


def known_sizes(spool: Path) -> Sequence[tuple[str, int]]:
    """Names and sizes of those files; whatever else somebody has put there is left alone."""
    return [(name, size) for name, size in sizes(spool / ASIDE) if _is_ours(name)]


def of_message(spool: Path, transaction_id: UUID) -> Sequence[SetAside]:
    """The files of a message, mostly one. Raises MessageMissing."""
    found = [one for one in set_aside(spool) if one.transaction_id == transaction_id]
    if not found:
        raise MessageMissing(
            f"Message {transaction_id} was not set aside in {spool / ASIDE}.",
            transaction_id=transaction_id, remedy="`busctl aside ls` lists what was.",
        )  # fmt: skip
    return found


def remove(one: SetAside) -> None:
    """Delete the file for good. Raises FileFailed."""
    with _naming(one, "removed"):
        one.path.unlink()
        sync_folder(one.path.parent)


def restore(one: SetAside, target: Path) -> None:
    """Let it wait again, under the name `target` in the spool. Raises FileFailed, also where a
    message of that id waits."""
    with _naming(one, "put back"):
        target.hardlink_to(one.path)  # which replaces nothing
        one.path.unlink()
        sync_folder(target.parent)


@contextmanager
def _naming(one: SetAside, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileFailed(
            f"{one.path} cannot be {done}: {error.strerror or error}.",
            transaction_id=one.transaction_id,
        ) from error


def _is_ours(name: str) -> bool:
    stem, _, why = name.partition(".")
    try:
        return bool(why) and str(parse_id(stem)) == stem
    except InvalidId:  # no name that we gave
        return False


def _look(path: Path) -> SetAside:
    known = path.stat()
    stem, _, why = path.name.partition(".")
    # A rename leaves the time of writing as it is and sets that of the change.
    since = datetime.fromtimestamp(known.st_ctime, UTC)
    found = SetAside(parse_id(stem), why.partition(".")[0], path, known.st_size, since)
    try:
        with path.open("rb") as source:
            draft = spool_file.read_leaf(source).waiting.draft
    except (Damaged, OSError) as error:
        return replace(found, fault=str(error))
    return replace(
        found, tool_name=draft.labels.tool_name, payload_size_bytes=draft.payload_size_bytes
    )


def aside(path: Path, why: str) -> Path:
    """Move a file where it no longer waits: `aside/<id>.<why>`, with a number behind it where
    that is taken. Raises OSError."""
    folder = path.parent / ASIDE
    make_folder(folder)
    target, number = folder / f"{path.stem}.{why}", 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}.{why}.{number}"
    path.replace(target)
    sync_folder(folder)
    sync_folder(path.parent)
    return target


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Make it for its owner alone, and whatever it lies in, if it is not there. What is made is on
    the disk: a file that is synced into a folder which a crash takes away is lost."""
    if path.is_dir():
        return
    make_folder(path.parent, 0o777)
    path.mkdir(mode=mode, exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes of the files in a folder, those left out that go meanwhile."""
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    yield entry.name, entry.stat(follow_symlinks=False).st_size
