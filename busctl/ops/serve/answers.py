"""What becomes of an answer: stored first, whatever its size, then told."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

from busctl.core.envelope import ClaimCheck, Labels, MessageType
from busctl.core.errors import (
    BusctlError,
    BusDisabled,
    CallFailed,
    DuplicateRequest,
    MessageCorrupt,
    SchemaMissing,
    SchemaOutdated,
    StoreFailed,
    StoreOverBudget,
    StoreReadOnly,
    StoreUnreachable,
)
from busctl.ops.bus import Bus
from busctl.ports import Answer

log = logging.getLogger("busctl.serve")

STORE_ERRORS = (
    StoreUnreachable, StoreReadOnly, StoreOverBudget, StoreFailed, SchemaMissing, SchemaOutdated,
    BusDisabled,
)  # fmt: skip
"""What keeps the store from taking any message at all."""
RETRY_AFTER_SECS = 5.0
ARGUMENTS_DIGEST = "call_sha256"
"""The metadata field by which a repeated request is known to be the same call."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored answer: its claim, and its bytes if they are at hand still."""

    claim: ClaimCheck
    payload: bytes | None


async def keep(bus: Bus, answer: Answer, labels: Labels, transaction_id: UUID) -> Kept:
    """Store an answer; when this returns it is committed. Where an envelope goes is decided here
    and nowhere else. Raises what `Bus.put` raises."""
    labels = replace(labels, content_type=answer.content_type)
    if answer.payload is not None:
        claim = await bus.put(answer.payload, labels, transaction_id=transaction_id)
        return Kept(claim, answer.payload)
    pieces: AsyncIterator[bytes] = answer.pieces  # type: ignore[assignment]  # the other of the two
    return Kept(await bus.put_stream(pieces, labels, transaction_id=transaction_id), None)


async def keep_error(
    bus: Bus, error: BusctlError, labels: Labels, transaction_id: UUID
) -> CallFailed:
    """Store what went wrong as a message of type error, and return it as it is told: with the id,
    or without one when the store would not take it."""
    code = getattr(error, "error_code", error.code)
    shape = {"code": code, "message": error.message, "remedy": error.remedy}
    payload = json.dumps(shape, ensure_ascii=True).encode("ascii")
    answer = Answer(payload, None, "application/json")
    stored: UUID | None = transaction_id
    try:
        await keep(bus, answer, replace(labels, message_type=MessageType.ERROR), transaction_id)
    except STORE_ERRORS as refused:
        log.warning("error not stored", extra={"error": str(refused)})
        stored = None
    return CallFailed(
        error.message, code=code, transaction_id=stored, remedy=error.remedy,
        retry_after=getattr(error, "retry_after", None),
    )  # fmt: skip


async def recall(bus: Bus, transaction_id: UUID, tool: str, digest: str) -> Kept:
    """The stored answer of a request that was made before.

    Raises CallFailed if that answer was an error, DuplicateRequest if it was another call, and
    the outcomes of reading.
    """
    envelope = await bus.stat(transaction_id)
    labels = envelope.labels
    if labels.tool_name != tool or labels.metadata.get(ARGUMENTS_DIGEST) not in (None, digest):
        raise DuplicateRequest(
            f"This request_id was used for another call (of {labels.tool_name})."
        )
    if labels.message_type is MessageType.ERROR:
        raise _told_again(transaction_id, await bus.get(transaction_id))
    return Kept(envelope.claim(), None)


def _told_again(transaction_id: UUID, payload: bytes) -> BusctlError:
    try:
        shape = json.loads(payload)
        return CallFailed(
            shape["message"], code=shape["code"], transaction_id=transaction_id,
            remedy=shape["remedy"],
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        return MessageCorrupt(
            f"Message {transaction_id} is no error that this daemon wrote: {error}.",
            transaction_id=transaction_id,
        )


def as_told(error: BusctlError) -> BusctlError:
    """A store that is away or refuses is STORE_UNAVAILABLE on the wire, with when to come back."""
    if not isinstance(error, STORE_ERRORS):
        return error
    return CallFailed(
        error.message, code=StoreUnreachable.code, transaction_id=error.transaction_id,
        remedy=error.remedy, retry_after=RETRY_AFTER_SECS,
    )  # fmt: skip
