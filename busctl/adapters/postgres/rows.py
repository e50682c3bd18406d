"""Between rows and values: parameters of the put statements, envelopes out of result rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from psycopg.types.numeric import Float8, Int4, Int8

from busctl.adapters.postgres.copying import CopiedRow
from busctl.core.envelope import Chunk, Compression, Envelope, Event, Labels, MessageType, Status
from busctl.ports import Draft, Found


def put_values(draft: Draft, body: bytes | None) -> dict[str, Any]:
    """The parameters of `message_put`. Fixed-width numbers keep one prepared statement."""
    labels = draft.labels
    return {
        "id": draft.transaction_id,
        "created": draft.created_at,
        "ttl": Float8(draft.ttl.total_seconds()),
        "raw_size": Int8(draft.payload_size_bytes),
        "stored_size": Int8(draft.stored_size_bytes),
        "chunks": Int4(draft.chunk_count),
        "kind": labels.message_type.value,
        "packing": draft.compression.value,
        "mime": labels.content_type,
        "owner": labels.owner,
        "tool": labels.tool_name,
        "session": labels.session_id,
        "request": labels.request_id,
        "raw_digest": draft.checksum,
        "stored_digest": draft.stored_checksum,
        "extra": json_or_null(labels.metadata),
        "body": body,
    }


def put_many_values(messages: Sequence[tuple[Draft, bytes]]) -> dict[str, Any]:
    """The parameters of `message_put_many`: one array a column, and what most messages have in
    common, labels and compression, once a kind of message (`sorts` points at them, from 1)."""
    drafts = [draft for draft, _ in messages]
    known: dict[tuple[int, Compression], int] = {}
    sorts = [
        known.setdefault((id(draft.labels), draft.compression), len(known) + 1) for draft in drafts
    ]
    first_of = dict(zip(reversed(sorts), reversed(drafts), strict=True))
    kinds = [first_of[sort] for sort in range(1, len(known) + 1)]
    labels = [draft.labels for draft in kinds]
    return {
        "ids": [draft.transaction_id for draft in drafts],
        "created": None,
        "ttl": Float8(drafts[0].ttl.total_seconds()),
        "raw_sizes": [Int8(draft.payload_size_bytes) for draft in drafts],
        "raw_digests": [draft.checksum for draft in drafts],
        "stored_digests": [
            None if draft.compression is Compression.NONE else draft.stored_checksum
            for draft in drafts
        ],
        "bodies": [body for _, body in messages],
        "sorts": [Int4(sort) for sort in sorts],
        "kinds": [label.message_type.value for label in labels],
        "packings": [draft.compression.value for draft in kinds],
        "mimes": [label.content_type for label in labels],
        "owners": [label.owner for label in labels],
        "tools": [label.tool_name for label in labels],
        "sessions": [label.session_id for label in labels],
        "requests": [label.request_id for label in labels],
        "extras": [json_or_null(label.metadata) for label in labels],
    }


def json_or_null(value: Mapping[str, Any]) -> Jsonb | None:
    return Jsonb(dict(value)) if value else None


def chunk_values(transaction_id: UUID, chunks: Sequence[Chunk]) -> list[Any]:
    """The parameters of `chunk_insert`, row after row."""
    return [
        value
        for chunk in chunks
        for value in (
            transaction_id, Int4(chunk.seq), Int4(chunk.raw_size), chunk.raw_checksum,
            chunk.stored_checksum, chunk.body,
        )
    ]  # fmt: skip


def chunk(row: CopiedRow) -> Chunk:
    """From `chunk_get`: two integers and three byte strings, none of them NULL."""
    seq, raw_size, raw_checksum, stored_checksum, body = (field or b"" for field in row)
    return Chunk(int.from_bytes(seq), int.from_bytes(raw_size), raw_checksum, stored_checksum, body)


def found(transaction_id: UUID, row: Sequence[Any]) -> Found:
    return Found(
        transaction_id=transaction_id, payload_size_bytes=row[0], stored_size_bytes=row[1],
        chunk_count=row[2], compression=Compression(row[3]), content_type=row[4], owner=row[5],
        checksum=row[6], stored_checksum=row[7], live=row[8], expires_at=row[9],
        message_type=MessageType(row[10]), duration_ms=row[11], body=row[12],
    )  # fmt: skip


def envelope(row: Sequence[Any]) -> Envelope:
    """From `message_stat` and `message_list`. A live status of a message past its time reads
    `expired`: the row says what was recorded, the clock what is true."""
    status = Status(row[16])
    if not row[19] and row[2] <= row[22]:
        status = Status.EXPIRED
    return Envelope(
        transaction_id=row[0], created_at=row[1], expires_at=row[2],
        labels=Labels(
            message_type=MessageType(row[3]), content_type=row[4], tool_name=row[5],
            session_id=row[6], request_id=row[7], owner=row[8], metadata=row[9],
        ),
        payload_size_bytes=row[10], checksum=row[11], compression=Compression(row[12]),
        stored_size_bytes=row[13], stored_checksum=row[14], chunk_count=row[15], status=status,
        retrieved_at=row[17], retrieved_count=row[18], pinned=row[19],
        write_duration_ms=row[20], read_duration_ms=row[21],
    )  # fmt: skip


def event(row: Sequence[Any]) -> Event:
    return Event(row[0], row[1], row[2], row[3], row[4] or {})
