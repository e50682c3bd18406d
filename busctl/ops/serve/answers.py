"""What becomes of an answer: stored first, whatever its size, then told."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from uuid import UUID

from busctl.core.breaker import STORE_ERRORS
from busctl.core.envelope import Labels, MessageType
from busctl.core.errors import (
    AnswerCut,
    BusctlError,
    CallFailed,
    DuplicateRequest,
    FileFailed,
    MessageCorrupt,
    SpoolFull,
    StoreUnreachable,
)
from busctl.ops.bus import Bus
from busctl.ops.serve.fallback import CUT, ERROR_OF, TOOL, WHY, Keeper, Kept
from busctl.ports import Answer

log = logging.getLogger("busctl.serve")

RETRY_AFTER_SECS = 5.0
UNKEPT = (*STORE_ERRORS, SpoolFull, FileFailed)
"""What leaves an answer that is as it should be without a place."""
ARGUMENTS_DIGEST = "call_sha256"
"""The metadata field by which a repeated request is known to be the same call."""


async def keep_error(
    keeper: Keeper, error: BusctlError, labels: Labels, transaction_id: UUID
) -> CallFailed:
    """Keep what went wrong as a message of type error, and return it as it is told: with the id,
    or without one when it is kept nowhere."""
    code = getattr(error, "error_code", error.code)
    shape = {"code": code, "message": error.message, "remedy": error.remedy}
    payload = json.dumps(shape, ensure_ascii=True).encode("ascii")
    answer = Answer(payload, None, "application/json")
    stored: UUID | None = transaction_id
    try:
        kept = await keeper.keep(
            answer, replace(labels, message_type=MessageType.ERROR), transaction_id
        )
        if kept.nowhere:
            stored = None
    except UNKEPT as refused:
        log.warning("error not stored", extra={"error": str(refused)})
        stored = None
    return CallFailed(
        error.message, code=code, transaction_id=stored, remedy=error.remedy,
        retry_after=getattr(error, "retry_after", None),
    )  # fmt: skip


def broken_off(kept: Kept, cut: AnswerCut) -> CallFailed:
    """An answer that broke off is no answer: its error names what came of it."""
    stored = None if kept.nowhere else kept.claim.transaction_id
    return CallFailed(cut.message, code=cut.code, transaction_id=stored, remedy=cut.remedy)


async def recall(bus: Bus, transaction_id: UUID, tool: str, digest: str) -> Kept:
    """The stored answer of a request that was made before.

    Raises CallFailed if that answer was an error of the daemon, DuplicateRequest if it was another
    call, and the outcomes of reading.
    """
    envelope = await bus.stat(transaction_id)
    labels = envelope.labels
    if labels.tool_name != tool or labels.metadata.get(ARGUMENTS_DIGEST) not in (None, digest):
        raise DuplicateRequest(
            f"This request_id was used for another call (of {labels.tool_name})."
        )
    if labels.message_type is MessageType.ERROR and labels.metadata.get(ERROR_OF) != TOOL:
        cut = labels.metadata.get(ERROR_OF) == CUT
        shape = json.dumps(labels.metadata.get(WHY)).encode() if cut else None
        raise _told_again(transaction_id, shape or await bus.get(transaction_id))
    return Kept(envelope.claim(), None, metadata=labels.metadata)


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
    """A store that is away or refuses is STORE_UNAVAILABLE on the wire, a full spool SPOOL_FULL,
    with when to come back."""
    if not isinstance(error, UNKEPT):
        return error
    code = error.code if isinstance(error, SpoolFull) else StoreUnreachable.code
    return CallFailed(
        error.message, code=code, transaction_id=error.transaction_id, remedy=error.remedy,
        retry_after=getattr(error, "retry_after", None) or RETRY_AFTER_SECS,
    )  # fmt: skip
