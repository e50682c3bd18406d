"""The `call_tool_res` frame of a stored answer, whole or as a claim check."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from busctl.core.envelope import MessageType
from busctl.core.errors import CallFailed, PayloadTooLarge
from busctl.core.hops import SENT, Hop, measured
from busctl.core.mcp.result import text_in
from busctl.core.protocol import encode, error_shape
from busctl.core.route import Reader, Route, outputs, route, route_encoded
from busctl.ops.bus import Bus
from busctl.ops.serve.fallback import Kept
from busctl.ports import Delivery

THREAD_BYTES = 64 * 1024
"""Larger answers are encoded in a thread, so that other sessions do not wait."""
JSON_GROWTH = 6
"""How many characters one byte may take in a frame: a control character is \\u00XX."""


@dataclass(frozen=True, slots=True)
class ResultFrame:
    """A frame to be sent; `measured` is what of the payload is in it."""

    text: str
    way: Route
    measured: Mapping[str, Any]


async def frame_for(
    bus: Bus, kept: Kept, request_id: str, reader: Reader, inline_max_bytes: int | None = None
) -> ResultFrame:
    """The frame that tells a client its answer. `inline_max_bytes` is the tool's own limit, None
    for that of the settings.

    Raises PayloadTooLarge with the id of the stored answer, and the outcomes of reading it.
    """
    claim = kept.claim
    inline = bus.settings.inline_max_bytes if inline_max_bytes is None else inline_max_bytes
    if claim.message_type is MessageType.ERROR:
        return await _error(bus, kept, request_id, reader, inline)
    if kept.nowhere:
        return await _only_whole(kept, request_id, reader)
    try:
        way = route(claim.payload_size_bytes, reader, inline)
        if way is Route.INLINE:
            frame = await _whole(bus, kept, request_id, reader)
            if route_encoded(_length(frame.text), reader) is Route.INLINE:
                return frame
    except PayloadTooLarge as error:
        error.transaction_id = claim.transaction_id
        raise
    if kept.payload is not None:
        bus.recent.remember(claim, kept.payload)
    said = _said(kept)
    text = encode("call_tool_res", request_id=request_id, claim=claim.as_json(), **said)
    return ResultFrame(text, Route.CLAIM, {})


def record(bus: Bus, kept: Kept, frame: ResultFrame) -> None:
    """Note how an answer went out. Whole, it is delivered; a claim is when it is redeemed.

    Bytes that `Bus.get` read back were counted as a delivery there.
    """
    if kept.nowhere:
        return
    chosen = kept.claim.transaction_id
    if frame.way is Route.CLAIM:
        bus.passed(chosen, SENT, Hop.WIRE, {"via": "claim"})
    elif kept.payload is None:
        bus.passed(chosen, SENT, Hop.WIRE, {"via": "inline", **frame.measured})
    else:
        detail = {"via": "inline", **frame.measured}
        delivery = Delivery(chosen, bus.clock.now(), 0.0, Hop.WIRE, detail)
        bus.deliveries.add(delivery, spooled=kept.claim.spooled)


async def _error(
    bus: Bus, kept: Kept, request_id: str, reader: Reader, inline_max_bytes: int
) -> ResultFrame:
    """An answer that the tool itself calls an error: small ones in full, others by their id."""
    claim = kept.claim
    size = claim.payload_size_bytes
    seen: dict[str, Any] = {}
    way = Route.CLAIM
    if size <= min(inline_max_bytes, reader.max_message_bytes // JSON_GROWTH):
        payload = kept.payload
        if payload is None:
            payload = await bus.get(claim.transaction_id)
        way, seen = Route.INLINE, measured(size, sha256(payload).hexdigest())
        message = text_in(payload, claim.content_type) or f"The tool failed ({size:,} bytes)."
    else:
        message = (
            f"The tool answered with an error of {size:,} bytes, which is stored: {claim.preview}… "
            "Redeem it by its id."
        )
    stored = None if kept.nowhere else claim.transaction_id
    told = CallFailed(message, transaction_id=stored, remedy="")
    text = encode("call_tool_res", request_id=request_id, error=error_shape(told))
    return ResultFrame(text, way, seen)


async def _only_whole(kept: Kept, request_id: str, reader: Reader) -> ResultFrame:
    """With the bus switched off there is no other way."""
    payload = kept.payload or b""
    frame = await asyncio.to_thread(_result, kept, payload, request_id, reader, hashed=False)
    size = _length(frame.text)
    if size > reader.max_message_bytes:
        raise PayloadTooLarge(
            f"The answer needs a frame of {size:,} bytes; this client takes "
            f"{reader.max_message_bytes:,}, and the bus is switched off: it is stored nowhere.",
            remedy="Set MESSAGE_BUS_ENABLED=true, or ask the tool for less.",
        )
    return frame


async def _whole(bus: Bus, kept: Kept, request_id: str, reader: Reader) -> ResultFrame:
    payload = kept.payload
    if payload is None:
        payload = await bus.get(kept.claim.transaction_id)
    hashed = bus.settings.trace_hops
    if len(payload) <= THREAD_BYTES:
        return _result(kept, payload, request_id, reader, hashed=hashed)
    return await asyncio.to_thread(_result, kept, payload, request_id, reader, hashed=hashed)


def _result(
    kept: Kept, payload: bytes, request_id: str, reader: Reader, *, hashed: bool
) -> ResultFrame:
    fields: dict[str, Any] = {
        "request_id": request_id,
        "transaction_id": str(kept.claim.transaction_id),
        "checksum": kept.claim.checksum,
        "content_type": kept.claim.content_type,
        "outputs": outputs(payload, kept.claim.content_type, as_blocks=reader.as_blocks),
    }
    if kept.claim.spooled:
        fields["spooled"] = True
    if kept.nowhere:
        fields["stored"] = False
    if kept.claim.incomplete:
        fields["incomplete"] = kept.claim.incomplete
    fields |= _said(kept)
    # Hashed anew: these are the bytes that go into the frame, however long they have waited.
    seen = measured(len(payload), sha256(payload).hexdigest() if hashed else None)
    return ResultFrame(encode("call_tool_res", **fields), Route.INLINE, seen)


def _said(kept: Kept) -> dict[str, Any]:
    """What else a caller is to know of an answer, however it is told."""
    return {} if kept.conversation is None else {"conversation": kept.conversation}


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8"))
