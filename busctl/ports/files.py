"""Files that calls name, what takes text out of them, and the providers that hold copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Protocol

from busctl.core.manifest import FileRef


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
    """A provider's files, of one account. Every method raises ModelFailed."""

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
