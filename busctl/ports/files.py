"""Files that calls name, what takes text out of them, and the providers that hold copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Protocol
from uuid import UUID

from busctl.core.files.manifest import Copy, CopyKey, FileRef


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file as it was read: the path asked for and the one that it leads to, its name, size in
    bytes and SHA-256 in hex. `content` is a copy of its bytes, empty where none was wanted; whoever
    holds it closes it."""

    asked: str
    canonical: str
    name: str
    size: int
    sha256: str
    content: IO[bytes]


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a file, and what took it out: "utf-8", "pypdf", a provider's purpose."""

    text: str
    by: str


class Files(Protocol):
    """The files of this machine that calls may name."""

    def read(self, path: object, *, keep: bool) -> ReadFile:
        """Blocks. Raises FileRefused with its reason and remedy."""


class Extractor(Protocol):
    """Takes text out of files on this machine."""

    async def text(self, file: ReadFile) -> Extracted:
        """The text of a file of text. Raises FileRefused."""

    async def pdf(self, file: ReadFile) -> Extracted:
        """The text of a PDF, bounded in time and memory. Raises FileRefused."""


class FileHost(Protocol):
    """A provider's files, of one account. Every method raises ApiFault, or, around one that does
    (`ops/files/hosting.py`), ToolFailed."""

    @property
    def account(self) -> str:
        """A digest of the key, never the key."""

    async def upload(self, name: str, content: IO[bytes], purpose: str) -> FileRef: ...

    async def find(self, file_id: str) -> FileRef | None:
        """What the provider knows of it; None when it has no such file (any more)."""

    async def content(self, file_id: str) -> str:
        """The text that the provider took out of it."""

    async def list(self) -> Sequence[FileRef]:
        """All files of the account."""

    async def delete(self, file_id: str) -> bool:
        """False when there was none."""


class Copies(Protocol):
    """Which copies of which files lie with providers, shared by all daemons of a store. `holder`
    names who uploads. Every method raises the store's errors."""

    async def find(self, key: CopyKey) -> Copy | None: ...

    async def begin(
        self, key: CopyKey, name: str, size: int, holder: str, lease: timedelta
    ) -> bool:
        """The right to upload it, for one at a time; not while there is a copy."""

    async def renew(self, key: CopyKey, holder: str, lease: timedelta) -> bool: ...

    async def done(
        self, key: CopyKey, holder: str, file_id: str, lasting: timedelta | None
    ) -> bool:
        """It is uploaded; False when somebody else has taken it over."""

    async def free(self, key: CopyKey, holder: str) -> None:
        """The upload failed: whoever comes next may try."""

    async def seen(self, provider: str, account: str, file_id: str) -> None:
        """The provider has it still."""

    async def forget(self, provider: str, account: str, file_id: str) -> bool:
        """The provider has it no more."""

    async def list(self, provider: str | None = None) -> Sequence[Copy]: ...


class Texts(Protocol):
    """Which message holds the text of which content, by its owner and where it came from. Every
    method raises the store's errors."""

    async def find(self, sha256: bytes, owner: str, source: str) -> UUID | None: ...

    async def keep(
        self, sha256: bytes, owner: str, source: str, transaction_id: UUID, until: datetime
    ) -> None: ...

    async def all_of(self, sha256: bytes) -> Sequence[tuple[str, str, UUID]]:
        """Owner, source and message of every text of that content."""
