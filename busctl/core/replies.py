"""The daemon's frames as a client reads them. The other direction is `busctl.core.protocol`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from busctl.core.envelope import ClaimCheck, Compression, MessageType
from busctl.core.errors import (
    AccessDenied,
    BusctlError,
    CallFailed,
    MessageCorrupt,
    MessageExpired,
    MessageMissing,
    ProtocolError,
    StoreUnreachable,
)
from busctl.core.jsontext import parse_json
from busctl.core.protocol import PART_HEADER_BYTES

_OUTCOMES: dict[str, type[BusctlError]] = {
    each.code: each
    for each in (AccessDenied, MessageCorrupt, MessageExpired, MessageMissing, StoreUnreachable)
}
_SHAPE_ERRORS = (KeyError, TypeError, ValueError, AttributeError)


class CallAgain(CallFailed):
    """The daemon could not take the call now; `retry_after` seconds later it may."""

    exit_code = 3


class CallUnanswered(CallFailed):
    """The caller would not wait any longer; the call goes on."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class CallResult:
    """The answer to one call: its bytes, verified, and where they are stored.

    `claim` is the claim check by which the answer came, None when it came whole. `payload` is
    empty when the bytes went into a sink; `size` and `checksum` (SHA-256, hex) are always theirs.
    `incomplete` is why the tool itself says that its answer is not whole, "" if it does not.
    `conversation` is the turn that a language model's answer is, and what of the earlier ones the
    model did not get (`left_out`); empty for other answers.
    """

    payload: bytes
    claim: ClaimCheck | None
    transaction_id: UUID
    content_type: str
    request_id: str
    size: int
    checksum: str
    incomplete: str = ""
    conversation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """One binary frame of a fetch."""

    transaction_id: UUID
    offset: int
    raw: memoryview


def read_frame(text: str) -> dict[str, Any]:
    """One text frame. Raises ProtocolError unless it is a JSON object with an `op`."""
    try:
        frame = parse_json(text)
    except ValueError as error:
        raise ProtocolError(f"The daemon sent a frame that is not JSON: {error}.") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("op"), str):
        raise ProtocolError("The daemon sent a frame without an op.")
    return frame


def read_part(message: bytes) -> Part:
    """One binary frame. Raises ProtocolError for one that is too short."""
    if len(message) < PART_HEADER_BYTES:
        raise ProtocolError(f"The daemon sent a binary frame of {len(message)} bytes.")
    view = memoryview(message)
    offset = int.from_bytes(view[16:PART_HEADER_BYTES], "big")
    return Part(UUID(bytes=bytes(view[:16])), offset, view[PART_HEADER_BYTES:])


def read_claim(shape: Mapping[str, Any]) -> ClaimCheck:
    """A claim check. Raises ProtocolError for anything else."""
    try:
        return ClaimCheck(
            transaction_id=UUID(shape["transaction_id"]),
            payload_size_bytes=int(shape["payload_size_bytes"]),
            checksum=str(shape["checksum"]).lower(),
            compression=Compression(shape["compression"]),
            expires_at=datetime.fromisoformat(shape["expires_at"]),
            message_type=MessageType(shape.get("message_type", MessageType.TOOL_RESPONSE)),
            content_type=str(shape.get("content_type", "application/octet-stream")),
            preview=str(shape.get("preview", "")),
            spooled=bool(shape.get("spooled", False)),
            incomplete=str(shape.get("incomplete", "")),
        )
    except _SHAPE_ERRORS as error:
        raise ProtocolError(f"The daemon sent a claim that cannot be read: {error}.") from error


def read_error(shape: Mapping[str, Any]) -> BusctlError:
    """The named error: an outcome of redeeming a claim by its own class, else CallFailed."""
    try:
        code, message = str(shape["code"]), str(shape["message"])
        found = shape.get("transaction_id")
        transaction_id = None if found is None else UUID(found)
    except _SHAPE_ERRORS as error:
        return ProtocolError(f"The daemon sent an error that cannot be read: {error}.")
    outcome = _OUTCOMES.get(code)
    if outcome is not None and "retry_after" not in shape:
        return outcome(message, transaction_id=transaction_id, remedy="")
    if "retry_after" not in shape:
        return CallFailed(message, code=code, transaction_id=transaction_id, remedy="")
    return CallAgain(
        message, code=code, transaction_id=transaction_id, remedy="",
        retry_after=shape["retry_after"],
    )  # fmt: skip


def read_whole(frame: Mapping[str, Any]) -> CallResult:
    """An answer that came whole, its digest checked.

    Raises ProtocolError for a shape that the dialect does not have, MessageCorrupt for bytes
    that are not those the daemon stored.
    """
    try:
        (output,) = frame["outputs"]
        payload, guess = _bytes_of(output)
        transaction_id = UUID(frame["transaction_id"])
        checksum = str(frame["checksum"]).lower()
        request_id = str(frame["request_id"])
    except (*_SHAPE_ERRORS, binascii.Error) as error:
        raise ProtocolError(f"The daemon sent an answer that cannot be read: {error}.") from error
    content_type = str(frame.get("content_type", guess))
    found = sha256(payload).hexdigest()
    if found != checksum:
        raise MessageCorrupt(
            f"The answer {transaction_id} came with {len(payload):,} bytes that differ from its "
            "SHA-256.",
            transaction_id=transaction_id,
            remedy="Redeem it by its id: `busctl get` reads it from the store.",
            came=(len(payload), found),
        )
    return CallResult(
        payload, None, transaction_id, content_type, request_id, len(payload), found,
        str(frame.get("incomplete", "")), read_conversation(frame),
    )  # fmt: skip


def read_conversation(frame: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the frame of an answer says of the conversation that it belongs to."""
    told = frame.get("conversation")
    return told if isinstance(told, dict) else {}


def left_out(conversation: Mapping[str, Any]) -> int:
    """How many turns and files of it the model did not get."""
    listed, more = conversation.get("left_out"), conversation.get("left_out_more")
    return (len(listed) if isinstance(listed, list) else 0) + (more if isinstance(more, int) else 0)


def text_size(frame: Mapping[str, Any]) -> int:
    """About how many characters of payload the frame of an answer carries."""
    outputs = frame.get("outputs")
    each = outputs if isinstance(outputs, list) else []
    return sum(
        len(str(one.get("text") or one.get("data"))) for one in each if isinstance(one, dict)
    )


def _bytes_of(output: Mapping[str, Any]) -> tuple[bytes, str]:
    if output["type"] == "text":
        return output["text"].encode("utf-8"), "text/plain; charset=utf-8"
    if output["type"] == "blob":
        return base64.b64decode(output["data"], validate=True), "application/octet-stream"
    raise ValueError(f"output of type {output['type']!r}")
