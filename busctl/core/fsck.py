"""What is wrong with a message as it lies in the store, judged by what the server found there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from busctl.core.envelope import CHUNK_BYTES, Compression
from busctl.core.operating.finding import Finding

REMEDY = "Do not use it: call the tool again; look at the server's log, its disk and backups."
SHOWN = 8
"""How many chunks a sentence lists."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """One message as the server sees it. `body_digest` and `wrong` are taken of the stored bytes
    there, `present`, `wrong` and `odd` are chunk numbers: what is there, what does not match its
    stored SHA-256, what has another raw size than its place asks for. `trail` is the detail of its
    event `stored`, empty when that has left."""

    transaction_id: UUID
    payload_size_bytes: int
    stored_size_bytes: int
    chunk_count: int
    compression: Compression
    checksum: bytes
    stored_checksum: bytes
    body_size: int | None
    body_digest: bytes | None
    chunk_bytes: int
    present: Sequence[int] = ()
    wrong: Sequence[int] = ()
    odd: Sequence[int] = ()
    trail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Orphan:
    """Chunks without an envelope."""

    transaction_id: UUID
    chunks: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `chunk` and the half-open raw byte range where it has a place."""

    kind: str
    message: str
    chunk: int | None = None
    byte_range: tuple[int, int] | None = None

    def as_detail(self) -> dict[str, Any]:
        """The detail of the event `corrupt`."""
        place = {} if self.chunk is None else {"chunk": self.chunk}
        span = {} if self.byte_range is None else {"bytes": list(self.byte_range)}
        return {"fault": self.kind, **place, **span}


def faults_of(one: Inspected) -> list[Fault]:
    """Everything that is wrong with it, the bytes before the bookkeeping."""
    bodies = _chunk_faults(one) if one.chunk_count else _row_faults(one)
    return [*bodies, *_trail_faults(one)]


def finding_of(transaction_id: UUID, fault: Fault) -> Finding:
    return Finding(fault.kind, str(transaction_id), fault.message, REMEDY)


def orphan_finding(one: Orphan) -> Finding:
    return Finding(
        "orphan_chunks", str(one.transaction_id),
        f"{one.chunks:,} chunks ({one.stored_bytes:,} stored bytes) have no envelope.",
        "Nobody can read them; they leave with their partition. Look at who deletes rows of "
        "bus.message_bus by hand.",
    )  # fmt: skip


def place_of(one: Inspected, seq: int) -> tuple[int, int]:
    """The raw bytes that chunk `seq` holds."""
    return seq * CHUNK_BYTES, min((seq + 1) * CHUNK_BYTES, one.payload_size_bytes)


def _row_faults(one: Inspected) -> Iterator[Fault]:
    whole = (0, one.payload_size_bytes)
    if one.body_size is None:
        yield Fault("body_missing", "its body is not there", None, whole)
        return
    if one.body_size != one.stored_size_bytes:
        yield Fault(
            "size_differs",
            f"its body has {one.body_size:,} bytes, the envelope says {one.stored_size_bytes:,}",
            None, whole,
        )  # fmt: skip
    if one.body_digest is not None and one.body_digest != one.stored_checksum:
        yield Fault("body_altered", "its body does not match its stored SHA-256", None, whole)
    if one.compression is Compression.NONE:
        if one.checksum != one.stored_checksum:
            yield Fault("digest_altered", "its two digests differ, though nothing is compressed")
        if one.payload_size_bytes != one.stored_size_bytes:
            yield Fault("size_differs", "its two sizes differ, though nothing is compressed")
    if one.present:
        yield Fault("extra_chunks", f"it has a body and {_chunks(one.present)} as well")


def _chunk_faults(one: Inspected) -> Iterator[Fault]:
    present = set(one.present)
    for seq in one.wrong:
        yield _at(one, "chunk_altered", seq, "does not match its stored SHA-256")
    for seq in range(one.chunk_count):
        if seq not in present:
            yield _at(one, "chunk_missing", seq, "is not there")
    for seq in one.odd:
        yield _at(one, "size_differs", seq, "has another raw size than its place asks for")
    extra = [seq for seq in one.present if seq >= one.chunk_count]
    if extra:
        yield Fault("extra_chunks", f"it has {one.chunk_count:,} chunks, and {_chunks(extra)} more")
    fitting = -(-one.payload_size_bytes // CHUNK_BYTES)
    if fitting != one.chunk_count:
        yield Fault(
            "size_differs",
            f"{one.payload_size_bytes:,} bytes fill {fitting:,} chunks, the envelope says "
            f"{one.chunk_count:,}",
        )
    elif present == set(range(one.chunk_count)) and one.chunk_bytes != one.stored_size_bytes:
        yield Fault(
            "size_differs",
            f"its chunks have {one.chunk_bytes:,} stored bytes, the envelope says "
            f"{one.stored_size_bytes:,}",
        )
    if one.body_size is not None:
        yield Fault("extra_body", "it has chunks and a body in its row as well")


def _trail_faults(one: Inspected) -> Iterator[Fault]:
    size, checksum = one.trail.get("size"), one.trail.get("checksum")
    if size is not None and size != one.payload_size_bytes:
        yield Fault(
            "envelope_altered",
            f"its envelope says {one.payload_size_bytes:,} bytes, {size:,} were stored",
        )
    if checksum is not None and checksum != one.checksum.hex():
        yield Fault("envelope_altered", "its SHA-256 is not the one it was stored under")


def _at(one: Inspected, kind: str, seq: int, what: str) -> Fault:
    first, last = place_of(one, seq)
    return Fault(kind, f"chunk {seq} (bytes {first}-{last}) {what}", seq, (first, last))


def _chunks(seqs: Sequence[int]) -> str:
    shown = ", ".join(str(seq) for seq in seqs[:SHOWN])
    more = f" and {len(seqs) - SHOWN:,} more" if len(seqs) > SHOWN else ""
    return f"chunk {shown}{more}"
