"""One message of the spool in one file: bodies, then the envelope as JSON, then a foot.

The envelope comes last because its digests are known last; the foot says where it begins and has
its SHA-256, so a file that was cut short anywhere is known by its end. Bodies are kept as the
store would keep them, chunk by chunk with both digests: nothing is packed twice, and what is read
from here is what will be read from there.

    14 bytes   b"busctl-spool1\\n"
    …          the body, or the bodies of all chunks in order
    …          the envelope, JSON in UTF-8
    8 bytes    length of that JSON, big-endian
    32 bytes   SHA-256 of that JSON
    8 bytes    b"spooled\\n"
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any
from uuid import UUID

from busctl.core.codec import chunk_count_of
from busctl.core.envelope import CHUNK_BYTES, Chunk, Compression, Labels, MessageType
from busctl.ports import Draft, Waiting

MAGIC = b"busctl-spool1\n"
END = b"spooled\n"
FOOT_BYTES = 8 + 32 + len(END)
MAX_ENVELOPE_BYTES = 64 << 20


class Damaged(Exception):
    """The file is not one that was written whole, or `chunk` of it has changed since."""

    def __init__(self, what: str, chunk: int | None = None) -> None:
        super().__init__(what)
        self.chunk = chunk


@dataclass(frozen=True, slots=True)
class Piece:
    """Where the body of one chunk lies, and its digests."""

    offset: int
    size: int
    raw_size: int
    raw_checksum: bytes
    stored_checksum: bytes


@dataclass(frozen=True, slots=True)
class Leaf:
    """A file, read but for its bodies; `pieces` is empty when the body is one."""

    waiting: Waiting
    pieces: Sequence[Piece]


def envelope_bytes(waiting: Waiting, chunks: Sequence[tuple[int, int, bytes, bytes]]) -> bytes:
    """The envelope and the foot. `chunks`: stored size, raw size, raw and stored digest."""
    draft = waiting.draft
    labels = draft.labels
    shape = {
        "version": 1,
        "transaction_id": str(draft.transaction_id),
        "created_at": _created(draft).isoformat(),
        "ttl_seconds": draft.ttl.total_seconds(),
        "payload_size_bytes": draft.payload_size_bytes,
        "checksum": draft.checksum.hex(),
        "compression": draft.compression.value,
        "stored_size_bytes": draft.stored_size_bytes,
        "stored_checksum": draft.stored_checksum.hex(),
        "chunk_count": draft.chunk_count,
        "message_type": labels.message_type.value,
        "content_type": labels.content_type,
        "tool_name": labels.tool_name,
        "session_id": labels.session_id,
        "request_id": labels.request_id,
        "owner": labels.owner,
        "metadata": dict(labels.metadata),
        "spooled_at": waiting.at.isoformat(),
        "reason": waiting.reason,
        "daemon": waiting.daemon,
        "chunks": [
            [size, raw_size, raw.hex(), stored.hex()] for size, raw_size, raw, stored in chunks
        ],
    }
    text = json.dumps(shape, ensure_ascii=True).encode("ascii")
    return text + len(text).to_bytes(8, "big") + hashlib.sha256(text).digest() + END


def read_leaf(source: IO[bytes]) -> Leaf:
    """Read all but the bodies. Raises Damaged and OSError."""
    size = source.seek(0, 2)
    least = len(MAGIC) + FOOT_BYTES
    if size < least:
        raise Damaged(f"it has {size} bytes, a whole one has {least} at least")
    source.seek(0)
    if source.read(len(MAGIC)) != MAGIC:
        raise Damaged("it does not begin as it should")
    source.seek(size - FOOT_BYTES)
    foot = source.read(FOOT_BYTES)
    length = int.from_bytes(foot[:8], "big")
    if foot[40:] != END or length > min(MAX_ENVELOPE_BYTES, size - least):
        raise Damaged("it does not end as it should")
    begin = size - FOOT_BYTES - length
    source.seek(begin)
    text = source.read(length)
    if hashlib.sha256(text).digest() != foot[8:40]:
        raise Damaged("its envelope does not match its SHA-256")
    try:
        leaf = _leaf(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"its envelope cannot be read: {error}") from error
    if len(MAGIC) + leaf.waiting.draft.stored_size_bytes != begin:
        raise Damaged("its bodies are not as long as its envelope says")
    return leaf


def read_body(source: IO[bytes], leaf: Leaf) -> bytes:
    """The one body. Raises Damaged."""
    draft = leaf.waiting.draft
    source.seek(len(MAGIC))
    body = source.read(draft.stored_size_bytes)
    if hashlib.sha256(body).digest() != draft.stored_checksum:
        raise Damaged("its body does not match its SHA-256")
    return body


def read_chunk(source: IO[bytes], leaf: Leaf, seq: int) -> Chunk:
    """One chunk. Raises Damaged."""
    piece = leaf.pieces[seq]
    source.seek(piece.offset)
    body = source.read(piece.size)
    if hashlib.sha256(body).digest() != piece.stored_checksum:
        raise Damaged(f"chunk {seq} does not match its SHA-256", seq)
    return Chunk(seq, piece.raw_size, piece.raw_checksum, piece.stored_checksum, body)


def _leaf(shape: dict[str, Any]) -> Leaf:
    draft = Draft(
        transaction_id=UUID(shape["transaction_id"]),
        labels=Labels(
            message_type=MessageType(shape["message_type"]), content_type=shape["content_type"],
            tool_name=shape["tool_name"], session_id=shape["session_id"],
            request_id=shape["request_id"], owner=shape["owner"], metadata=shape["metadata"],
        ),
        payload_size_bytes=shape["payload_size_bytes"],
        checksum=bytes.fromhex(shape["checksum"]),
        compression=Compression(shape["compression"]),
        stored_size_bytes=shape["stored_size_bytes"],
        stored_checksum=bytes.fromhex(shape["stored_checksum"]),
        chunk_count=shape["chunk_count"],
        ttl=timedelta(seconds=shape["ttl_seconds"]),
        created_at=datetime.fromisoformat(shape["created_at"]),
    )  # fmt: skip
    pieces: list[Piece] = []
    offset = len(MAGIC)
    for size, raw_size, raw, stored in shape["chunks"]:
        pieces.append(Piece(offset, size, raw_size, bytes.fromhex(raw), bytes.fromhex(stored)))
        offset += size
    _require_plausible(draft, pieces)
    at = datetime.fromisoformat(shape["spooled_at"])
    return Leaf(Waiting(draft, at, shape["reason"], shape["daemon"]), pieces)


def _require_plausible(draft: Draft, pieces: Sequence[Piece]) -> None:
    """Readers expand a body up to the size that is declared for it: none may say more than the
    store would take. Raises ValueError."""
    wanted = chunk_count_of(draft.payload_size_bytes)
    if not draft.chunk_count == len(pieces) == wanted:
        raise ValueError(f"{len(pieces)} chunks of {draft.chunk_count}, not {wanted}")
    for seq, piece in enumerate(pieces):
        if piece.raw_size != min(CHUNK_BYTES, draft.payload_size_bytes - seq * CHUNK_BYTES):
            raise ValueError(f"chunk {seq} of {piece.raw_size} bytes")


def _created(draft: Draft) -> datetime:
    if draft.created_at is None:
        raise ValueError(f"message {draft.transaction_id} has no time of its own")
    return draft.created_at
