"""What is stored and what travels: Envelope, Chunk, ClaimCheck, and the labels of a payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

CHUNK_BYTES = 1 << 20
"""Raw bytes per chunk, and the largest raw payload kept in the row itself: 1 MiB."""

INCOMPLETE = "incomplete"
"""The metadata field by which a producer says that its answer is not whole, and why."""
PREVIEW_CHARS = 200


class MessageType(StrEnum):
    TOOL_RESPONSE = "tool_response"
    WATCHER_OBSERVATION = "watcher_observation"
    ERROR = "error"


class Status(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    ERROR = "error"


class Compression(StrEnum):
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Labels:
    """What the writer says about a payload. `owner` is the principal that may redeem it."""

    message_type: MessageType = MessageType.TOOL_RESPONSE
    content_type: str = "application/octet-stream"
    tool_name: str | None = None
    session_id: str | None = None
    request_id: str | None = None
    owner: str = "operator"
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def incomplete(self) -> str:
        """Why the producer itself says that it is not whole: length, content_filter; "" for whole
        as far as it says."""
        said = self.metadata.get(INCOMPLETE)
        return said if isinstance(said, str) else ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One frame of a payload: up to 1 MiB of raw bytes, each digest SHA-256 (32 bytes)."""

    seq: int
    raw_size: int
    raw_checksum: bytes
    stored_checksum: bytes
    body: bytes


@dataclass(slots=True)
class Envelope:
    """A message as stored, without its body. Sizes in bytes, digests 32 raw bytes of SHA-256. Not
    to be changed; not frozen, for then making one, thousands of times a second, takes 5 x as long.

    `chunk_count` is 0 for a body in the row. `stored_checksum` is taken over the stored bytes of
    all chunks in order, `checksum` over the raw payload.
    """

    transaction_id: UUID
    created_at: datetime
    expires_at: datetime
    labels: Labels
    payload_size_bytes: int
    checksum: bytes
    compression: Compression
    stored_size_bytes: int
    stored_checksum: bytes
    chunk_count: int
    preview: str = ""
    status: Status = Status.PENDING
    retrieved_at: datetime | None = None
    retrieved_count: int = 0
    pinned: bool = False
    write_duration_ms: float | None = None
    read_duration_ms: float | None = None
    spooled: bool = False

    def claim(self) -> ClaimCheck:
        """The claim check for this message."""
        return ClaimCheck(
            transaction_id=self.transaction_id,
            payload_size_bytes=self.payload_size_bytes,
            checksum=self.checksum.hex(),
            compression=self.compression,
            expires_at=self.expires_at,
            message_type=self.labels.message_type,
            content_type=self.labels.content_type,
            preview=self.preview,
            spooled=self.spooled,
            incomplete=self.labels.incomplete,
        )


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """What crosses the socket in place of a payload. `checksum` is SHA-256 in lowercase hex.

    `spooled`: the message waits in the spool of the daemon's host, and only there. `incomplete`:
    why its producer says that it is not whole, as `Labels.incomplete`.
    """

    transaction_id: UUID
    payload_size_bytes: int
    checksum: str
    compression: Compression
    expires_at: datetime
    message_type: MessageType
    content_type: str
    preview: str
    spooled: bool = False
    incomplete: str = ""

    def as_json(self) -> dict[str, Any]:
        """The wire shape: strings and numbers only, times in ISO 8601 with offset."""
        return {
            "transaction_id": str(self.transaction_id),
            "payload_size_bytes": self.payload_size_bytes,
            "checksum": self.checksum,
            "compression": self.compression.value,
            "expires_at": self.expires_at.isoformat(),
            "message_type": self.message_type.value,
            "content_type": self.content_type,
            "preview": self.preview,
            **({"spooled": True} if self.spooled else {}),
            **({"incomplete": self.incomplete} if self.incomplete else {}),
        }


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit trail of a message; `detail` is small JSON."""

    transaction_id: UUID
    at: datetime
    kind: str
    hop: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def preview_of(payload: bytes | bytearray | memoryview, content_type: str) -> str:
    """The first characters of a text payload, "" for other types. Never split inside a character.

    A preview is a label for people; it is never the payload and never compared with it.
    """
    if not content_type.startswith(("text/", "application/json")):
        return ""
    head = bytes(payload[: PREVIEW_CHARS * 4])
    # "replace" is right here only because the preview is for people: the payload stays bytes.
    text = head.decode("utf-8", errors="replace")
    return text[:PREVIEW_CHARS].replace("\x00", "\N{SYMBOL FOR NULL}")
