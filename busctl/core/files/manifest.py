"""What became of each file that a call names: the manifest, which goes with the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

MANIFEST = "files"
"""The metadata field that holds the manifest of an answer."""


class Done(StrEnum):
    """What was done with a file. None is "skipped": it is used, or refused with a reason."""

    INLINED = "inlined"
    UPLOADED = "uploaded"
    REUSED = "reused"
    EXTRACTED = "extracted"
    KEPT = "kept"
    PASSED = "passed"
    REFUSED = "refused"


class Reason(StrEnum):
    """Why a file is refused, by one word."""

    NO_ROOTS = "no_roots"
    BAD_PATH = "bad_path"
    WINDOWS_PATH = "windows_path"
    NOT_ABSOLUTE = "not_absolute"
    PARENT = "parent_segment"
    OUTSIDE = "outside_roots"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    NOT_A_FILE = "not_a_file"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    CHANGED = "changed"
    KIND = "kind"
    PROVIDER = "provider"
    CONTEXT = "context"
    NO_TEXT = "no_text"
    ENCRYPTED = "encrypted"
    EXTRACTION = "extraction"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class FileRef:
    """What a provider hands back for a file: its id there, with what is known of it. Sizes in
    bytes; times in seconds of the epoch, None where the provider does not say."""

    file_id: str
    name: str = ""
    size: int | None = None
    purpose: str | None = None
    created_at: float | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a manifest. `size` (bytes) and `sha256` (hex) are those of the file as it was
    read, None when it could not be. `text_id` names the message that holds its text on the bus,
    `text_size` (bytes) how much of it there is. `reason` and `why` say why it was refused, or why
    something else was done with it than usual."""

    name: str
    path: str
    done: Done
    size: int | None = None
    sha256: str | None = None
    provider: str | None = None
    file_id: str | None = None
    text_id: UUID | None = None
    text_size: int | None = None
    by: str | None = None
    reason: str | None = None
    why: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The shape in metadata: what is not known is left out."""
        shape = {
            "name": self.name, "path": self.path, "done": self.done.value, "size": self.size,
            "sha256": self.sha256, "provider": self.provider, "file_id": self.file_id,
            "text_id": None if self.text_id is None else str(self.text_id),
            "text_size": self.text_size, "by": self.by, "reason": self.reason, "why": self.why,
        }  # fmt: skip
        return {name: value for name, value in shape.items() if value is not None}

    @classmethod
    def of_json(cls, shape: Mapping[str, Any]) -> Entry:
        """The entry that `as_json` wrote."""
        known = {name: value for name, value in shape.items() if name in cls.__dataclass_fields__}
        text_id = None if known.get("text_id") is None else UUID(known["text_id"])
        return cls(**{**known, "done": Done(known["done"]), "text_id": text_id})


def refused(
    path: str, reason: str, why: str, size: int | None = None, sha256: str | None = None
) -> Entry:
    """The entry of a file that is not taken. Its path as far as metadata can hold it."""
    path = path.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return Entry(name_of(path), path, Done.REFUSED, size, sha256, reason=reason, why=why)


def name_of(path: str) -> str:
    """The last part of a path as it was asked for, whatever separates its parts."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def manifest_json(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """All entries in the order in which the call names its files."""
    return [entry.as_json() for entry in entries]


@dataclass(frozen=True, slots=True)
class CopyKey:
    """Which copy: of which content (SHA-256, 32 bytes), with which provider, under whose key (its
    digest) and for which purpose."""

    sha256: bytes
    provider: str
    account: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a file at a provider, as the store knows it."""

    key: CopyKey
    file_id: str
    name: str
    size: int
    uploaded_at: datetime
    seen_at: datetime
    expires_at: datetime | None
