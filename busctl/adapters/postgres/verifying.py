"""MESSAGE_BUS_VERIFY_INTEGRITY: before the commit, the server says what has arrived, digests taken
anew, and all of it must be what was sent. What differs is rolled back."""

from __future__ import annotations

from collections.abc import Sequence

from busctl.adapters.postgres.pool import Row, Session
from busctl.adapters.sqlfiles import queries
from busctl.core.envelope import Chunk
from busctl.core.errors import MessageCorrupt
from busctl.ports import Draft

CHUNKS_A_STEP = 64
"""How many chunks a small server hashes while one statement may show no progress."""


def digests_of(chunk: Chunk) -> bytes:
    """What is remembered of a chunk that was sent."""
    return chunk.raw_checksum + chunk.stored_checksum


async def verify(session: Session, draft: Draft, chunks: Sequence[bytes]) -> None:
    """Within the transaction that stored a new message; `chunks` are the digests of those sent, in
    order. Leaves the transaction under the reader's role. Raises MessageCorrupt."""
    await session.command("set local role bus_reader")
    row = await session.one(queries()["message_arrived"], {"id": draft.transaction_id})
    if row is None:
        raise _damaged(draft, "is not there under its id")
    *envelope, body_digest, arrived = row
    if envelope != _expected(draft):
        raise _damaged(draft, "has another envelope")
    if not chunks and body_digest != draft.stored_checksum:
        raise _damaged(draft, "has another body")
    wrong = [seq for seq in range(max(len(chunks), len(arrived))) if _at(chunks, arrived, seq)]
    if wrong:
        raise _damaged(draft, f"has other chunks: {wrong[:8]}", wrong[0])


def _expected(draft: Draft) -> list[object]:
    labels = draft.labels
    return [
        draft.payload_size_bytes, draft.stored_size_bytes, draft.chunk_count, draft.checksum,
        draft.stored_checksum, labels.message_type.value, draft.compression.value,
        labels.content_type, labels.owner, labels.tool_name, labels.session_id, labels.request_id,
        dict(labels.metadata),
    ]  # fmt: skip


def _at(sent: Sequence[bytes], arrived: Row, seq: int) -> bool:
    """Whether a chunk is another one than was sent, missing, or too many."""
    return seq >= len(sent) or seq >= len(arrived) or sent[seq] != arrived[seq]


def _damaged(draft: Draft, how: str, chunk: int | None = None) -> MessageCorrupt:
    return MessageCorrupt(
        f"Message {draft.transaction_id} was damaged on its way into the store: what arrived "
        f"{how}. It was not stored.",
        transaction_id=draft.transaction_id,
        chunk=chunk,
        remedy="Try again; look at the network to the server, and use TLS on it.",
    )
