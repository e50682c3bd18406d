"""Between rows and values: parameters of the put statements, envelopes out of result rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.errors import InternalError
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Float8, Int4, Int8

from busctl.adapters.postgres import binary
from busctl.adapters.postgres.calling import Values
from busctl.adapters.postgres.copying import CopiedRow
from busctl.core.envelope import Chunk, Compression, Envelope, Event, Labels, MessageType, Status
from busctl.ports import Draft, Found

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

_COMPRESSION = {one.encode(): one for one in Compression}
_MESSAGE_TYPE = {one.encode(): one for one in MessageType}
_STATUS_OF = {one.value: one for one in Status}
_COMPRESSION_OF = {one.value: one for one in Compression}
_TYPE_OF = {one.value: one for one in MessageType}
_FOUND_FIELDS = 12
"""Those before the body."""


def put_values(draft: Draft, body: bytes | None) -> Values:
    """The parameters of `message_put`."""
    labels = draft.labels
    return {
        "id": draft.transaction_id.bytes,
        "created": None if draft.created_at is None else binary.moment(draft.created_at),
        "ttl": binary.DOUBLE.pack(draft.ttl.total_seconds()),
        "raw_size": binary.INT8.pack(draft.payload_size_bytes),
        "stored_size": binary.INT8.pack(draft.stored_size_bytes),
        "chunks": binary.INT4.pack(draft.chunk_count),
        "kind": labels.message_type.encode(),
        "packing": draft.compression.encode(),
        "mime": labels.content_type.encode(),
        "owner": labels.owner.encode(),
        "tool": binary.text(labels.tool_name),
        "session": binary.text(labels.session_id),
        "request": binary.text(labels.request_id),
        "raw_digest": draft.checksum,
        "stored_digest": draft.stored_checksum,
        "extra": binary.jsonb(labels.metadata) if labels.metadata else None,
        "body": body,
    }


def stored(row: PGresult) -> tuple[bool, datetime, datetime, bytes | None]:
    """From `message_put`: whether it is new, when it was stored, when it expires, and the digest
    of what was there already."""
    field = row.get_value
    fresh, created, expires = field(0, 0), field(0, 1), field(0, 2)
    if fresh is None or created is None or expires is None:
        raise InternalError("message_put returned a NULL where it has none")
    return fresh == b"\x01", binary.datetime_of(created), binary.datetime_of(expires), field(0, 3)


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


def chunk_values(transaction_id: UUID, chunk: Chunk) -> list[bytes]:
    """The parameters of `chunk_insert`, in PostgreSQL's binary format."""
    return [
        transaction_id.bytes, binary.INT4.pack(chunk.seq), binary.INT4.pack(chunk.raw_size),
        chunk.raw_checksum, chunk.stored_checksum, chunk.body,
    ]  # fmt: skip


def chunk(row: CopiedRow) -> Chunk:
    """From `chunk_get`: two integers and three byte strings, none of them NULL."""
    seq, raw_size, raw_checksum, stored_checksum, body = (field or b"" for field in row)
    return Chunk(int.from_bytes(seq), int.from_bytes(raw_size), raw_checksum, stored_checksum, body)


def found(transaction_id: UUID, row: PGresult) -> Found | None:
    """From `message_get`, whose fields are all NULL when there is no such message."""
    field = row.get_value
    if field(0, 0) is None:
        return None
    fields = [field(0, place) or b"" for place in range(_FOUND_FIELDS)]
    return Found(
        transaction_id, binary.INT8.unpack(fields[0])[0], binary.INT8.unpack(fields[1])[0],
        binary.INT4.unpack(fields[2])[0], _COMPRESSION[fields[3]], fields[4].decode(),
        fields[5].decode(), fields[6], fields[7], fields[8] == b"\x01",
        binary.datetime_of(fields[9]), _MESSAGE_TYPE[fields[10]],
        binary.FLOAT.unpack(fields[11])[0], field(0, 12), incomplete=(field(0, 13) or b"").decode(),
    )  # fmt: skip


def envelope(row: Sequence[Any], known: dict[tuple[Any, ...], Labels] | None = None) -> Envelope:
    """From `message_stat` and `message_list`. A live status of a message past its time reads
    `expired`: the row says what was recorded, the clock what is true. `known` holds the labels that
    messages of one result have in common."""
    is_over = not row[19] and row[2] <= row[22]
    status = Status.EXPIRED if is_over else _STATUS_OF[row[16]]
    # By place, and without asking the enumerations: a follower makes thousands a second.
    return Envelope(
        row[0], row[1], row[2], _labels(row, known), row[10], row[11], _COMPRESSION_OF[row[12]],
        row[13], row[14], row[15], "", status, row[17], row[18], row[19], row[20], row[21],
    )  # fmt: skip


def _labels(row: Sequence[Any], known: dict[tuple[Any, ...], Labels] | None) -> Labels:
    kind, mime, tool, session, request, owner, metadata = said = tuple(row[3:10])
    if known is None or metadata:
        return Labels(_TYPE_OF[kind], mime, tool, session, request, owner, metadata or {})
    found = known.get(said)
    if found is None:
        found = known[said] = Labels(_TYPE_OF[kind], mime, tool, session, request, owner, {})
    return found


def event(row: Sequence[Any]) -> Event:
    return Event(row[0], row[1], row[2], row[3], row[4] or {})
