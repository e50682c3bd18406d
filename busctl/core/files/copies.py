"""Copies of files at providers: which are ours, and how what is known is to what is there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from busctl.core.files.manifest import Copy, FileRef

MARK = ".busctl-"
MARK_DIGITS = 12
"""How much of the SHA-256 goes into the name of a copy."""


class Standing(StrEnum):
    """KNOWN: to the store, the provider was not asked; THERE: to both; GONE: to the store alone;
    ORPHAN: ours, and to the provider alone; FOREIGN: no name of ours, somebody else's."""

    KNOWN = "known"
    THERE = "there"
    GONE = "gone"
    ORPHAN = "orphan"
    FOREIGN = "foreign"


PURGED = frozenset({Standing.GONE, Standing.ORPHAN})
"""What a purge removes if nothing else is said: of no use to anybody."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A copy, or another file of the account, and how it stands. `copy` is what the store knows of
    it, `ref` what the provider says."""

    provider: str
    standing: Standing
    copy: Copy | None = None
    ref: FileRef | None = None

    @property
    def file_id(self) -> str:
        return self.copy.file_id if self.copy else self.ref.file_id if self.ref else ""

    @property
    def name(self) -> str:
        return self.copy.name if self.copy else self.ref.name if self.ref else ""

    @property
    def size(self) -> int | None:
        return self.copy.size if self.copy else self.ref.size if self.ref else None


def copy_name(name: str, sha256: str) -> str:
    """The name under which a copy is uploaded: it says whose it is, and keeps its suffix."""
    path = PurePosixPath(name)
    return f"{path.stem}{MARK}{sha256[:MARK_DIGITS]}{path.suffix}"


def is_ours(name: str) -> bool:
    """Whether a name is one that `copy_name` makes."""
    stem, mark, digits = PurePosixPath(name).stem.rpartition(MARK)
    return bool(stem and mark) and len(digits) == MARK_DIGITS and digits.isalnum()


def compare(
    provider: str, account: str, known: Sequence[Copy], there: Sequence[FileRef]
) -> list[Placed]:
    """How all copies and files of one account stand; copies of other accounts are KNOWN: whether
    they are there, only their own keys can tell."""
    by_id = {one.file_id: one for one in there}
    found = []
    for copy in known:
        if copy.key.account != account:
            found.append(Placed(provider, Standing.KNOWN, copy))
            continue
        ref = by_id.pop(copy.file_id, None)
        found.append(Placed(provider, Standing.THERE if ref else Standing.GONE, copy, ref))
    for ref in by_id.values():
        standing = Standing.ORPHAN if is_ours(ref.name) else Standing.FOREIGN
        found.append(Placed(provider, standing, None, ref))
    return found


def to_purge(placed: Sequence[Placed], *, everything: bool, ids: Collection[str]) -> list[Placed]:
    """What a purge takes: those of `ids` where some are named, else what is of no use, with
    `everything` all copies of ours. Files of others are taken only by their ids."""
    if ids:
        return [one for one in placed if one.file_id in ids]
    wanted = PURGED | {Standing.THERE} if everything else PURGED
    return [one for one in placed if one.standing in wanted]
