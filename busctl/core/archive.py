"""The archive of messages as a format: a plain POSIX tar that any tar program unpacks.

    busctl-archive.json     what this is, and what was selected
    messages/ID.json        the envelope; the SHA-256 of this JSON is in the entry's PAX comment
    messages/ID.payload     the raw payload; its size and SHA-256 are in ID.json
    SHA256SUMS              a line for every entry under messages/, for `sha256sum -c`
    index.json              count, payload bytes, and the SHA-256 of SHA256SUMS

An entry can so be checked when it has been read, and the whole when index.json has.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from busctl.core.envelope import Envelope, Labels, MessageType
from busctl.core.errors import ArchiveError, InvalidId
from busctl.core.ids import parse_id
from busctl.core.jsontext import parse_json

FORMAT = "busctl-archive"
FORMAT_VERSION = 1
BLOCK_BYTES = 512
HEADER_NAME = "busctl-archive.json"
SUMS_NAME = "SHA256SUMS"
INDEX_NAME = "index.json"
FOLDER = "messages/"
END = bytes(2 * BLOCK_BYTES)
MAX_JSON_BYTES = 16 << 20  # busctl: allow[CF004] part of the archive's format
DIGEST_MARK = "sha256:"

COPY_AGAIN = "Copy the archive again from where it was made, or export again."


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the tar: `offset` is where its header begins, `digest` lowercase hex or ""."""

    name: str
    size: int
    offset: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message as an archive keeps it; the payload follows. Sizes in bytes, digest in hex."""

    transaction_id: UUID
    labels: Labels
    payload_size_bytes: int
    checksum: str
    created_at: datetime
    expires_at: datetime
    pinned: bool


def json_name(transaction_id: UUID) -> str:
    return f"{FOLDER}{transaction_id}.json"


def payload_name(transaction_id: UUID) -> str:
    return f"{FOLDER}{transaction_id}.payload"


def sum_line(name: str, digest: str) -> bytes:
    """A line of SHA256SUMS, as sha256sum writes it."""
    return f"{digest}  {name}\n".encode()


def tar_header(name: str, size: int, made: datetime, digest: str = "") -> bytes:
    """The header block (with a PAX header before it when there is a digest)."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mtime = int(made.timestamp())
    # Payloads are somebody's answers: unpacked, they are for the one who unpacks.
    info.mode = 0o600
    if digest:
        info.pax_headers = {"comment": DIGEST_MARK + digest}
    return info.tobuf(tarfile.PAX_FORMAT)


def padding(size: int) -> bytes:
    """What fills the last block of an entry."""
    return bytes(-size % BLOCK_BYTES)


def read_tar_header(block: bytes, offset: int) -> tuple[Entry, bool] | None:
    """The entry a header block describes and whether it is a PAX header; None at the end mark.

    Raises ArchiveError, which names `offset`.
    """
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # typeshed leaves it out
        return None
    except tarfile.HeaderError as error:
        raise ArchiveError(
            f"The archive is damaged at byte {offset:,}: no entry begins there ({error}).",
            remedy=COPY_AGAIN,
        ) from error
    return Entry(info.name, info.size, offset), info.type == tarfile.XHDTYPE


def pax_digest(body: bytes) -> str:
    """The digest in the comment of a PAX header; "" when it has none."""
    mark = f"comment={DIGEST_MARK}".encode()
    _, found, rest = body.partition(mark)
    return rest[:64].decode("ascii", "replace") if found else ""


def as_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def header_json(selection: Mapping[str, Any], made: datetime) -> bytes:
    return as_json(
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "made_at": made.isoformat(),
            "selection": selection,
        }
    )


def index_json(count: int, payload_bytes: int, sums_digest: str) -> bytes:
    return as_json(
        {"count": count, "payload_bytes": payload_bytes, "sha256sums_sha256": sums_digest}
    )


def read_json(body: bytes, entry: Entry) -> dict[str, Any]:
    """Raises ArchiveError, naming the entry, for anything but a JSON object."""
    try:
        value = parse_json(body)
    except ValueError as error:
        raise damaged(entry, "is no JSON") from error
    if not isinstance(value, dict):
        raise damaged(entry, "is no JSON object")
    return value


def check_header(value: Mapping[str, Any]) -> None:
    """Raises ArchiveError unless this is an archive that this busctl reads."""
    version = value.get("format_version")
    if value.get("format") != FORMAT or not isinstance(version, int):
        raise not_ours()
    if version > FORMAT_VERSION:
        raise ArchiveError(
            f"The archive has format version {version}; this busctl reads up to {FORMAT_VERSION}.",
            remedy="Import it with a newer busctl.",
        )


def not_ours() -> ArchiveError:
    return ArchiveError(
        "This is no archive of busctl's.", remedy="Give a file that `busctl export` wrote."
    )


def damaged(entry: Entry, what: str) -> ArchiveError:
    """The error that names the entry and where in the archive it begins."""
    return ArchiveError(
        f"The archive is damaged: {entry.name} (at byte {entry.offset:,}) {what}.",
        remedy=COPY_AGAIN,
    )


def truncated(offset: int, inside: str) -> ArchiveError:
    return ArchiveError(
        f"The archive is truncated: it ends at byte {offset:,}, {inside}.",
        remedy="Run the `busctl export` that made it again, which completes it, or copy it again.",
    )


def record_json(envelope: Envelope) -> bytes:
    """An envelope as ID.json. `status` and after are of the store it came from: for people."""
    labels = envelope.labels
    return as_json(
        {
            "transaction_id": str(envelope.transaction_id),
            "created_at": envelope.created_at.isoformat(),
            "expires_at": envelope.expires_at.isoformat(),
            "pinned": envelope.pinned,
            "message_type": labels.message_type.value,
            "content_type": labels.content_type,
            "tool_name": labels.tool_name,
            "session_id": labels.session_id,
            "request_id": labels.request_id,
            "owner": labels.owner,
            "metadata": dict(labels.metadata),
            "payload_size_bytes": envelope.payload_size_bytes,
            "checksum": envelope.checksum.hex(),
            "status": envelope.status.value,
            "retrieved_count": envelope.retrieved_count,
            "compression": envelope.compression.value,
        }
    )


def read_record(value: Mapping[str, Any], entry: Entry) -> Recorded:
    """ID.json as a message. Raises ArchiveError for what is missing or of the wrong kind."""
    try:
        return Recorded(
            transaction_id=parse_id(value["transaction_id"]),
            labels=_read_labels(value),
            payload_size_bytes=int(value["payload_size_bytes"]),
            checksum=bytes.fromhex(value["checksum"]).hex(),
            created_at=_moment(value["created_at"]),
            expires_at=_moment(value["expires_at"]),
            pinned=bool(value.get("pinned", False)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, InvalidId) as error:
        raise damaged(entry, f"does not describe a message ({error!r})") from error


def _read_labels(value: Mapping[str, Any]) -> Labels:
    return Labels(
        message_type=MessageType(value["message_type"]),
        content_type=str(value["content_type"]),
        tool_name=_text(value.get("tool_name")),
        session_id=_text(value.get("session_id")),
        request_id=_text(value.get("request_id")),
        owner=str(value["owner"]),
        metadata=dict(value.get("metadata") or {}),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return moment
