"""The `call_tool_res` frame of a stored answer, whole or as a claim check."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from busctl.core.errors import PayloadTooLarge
from busctl.core.protocol import encode
from busctl.core.route import Reader, Route, outputs, route, route_encoded
from busctl.ops.bus import Bus
from busctl.ops.serve.answers import Kept
from busctl.ports import Delivery

THREAD_BYTES = 64 * 1024
"""Larger answers are encoded in a thread, so that other sessions do not wait."""


@dataclass(frozen=True, slots=True)
class ResultFrame:
    text: str
    way: Route


async def frame_for(bus: Bus, kept: Kept, request_id: str, reader: Reader) -> ResultFrame:
    """The frame that tells a client its answer.

    Raises PayloadTooLarge with the id of the stored answer, and the outcomes of reading it.
    """
    claim = kept.claim
    try:
        way = route(claim.payload_size_bytes, reader, bus.settings.inline_max_bytes)
        if way is Route.INLINE:
            text = await _whole(bus, kept, request_id)
            way = route_encoded(_length(text), reader)
            if way is Route.INLINE:
                return ResultFrame(text, way)
    except PayloadTooLarge as error:
        error.transaction_id = claim.transaction_id
        raise
    text = encode("call_tool_res", request_id=request_id, claim=claim.as_json())
    return ResultFrame(text, Route.CLAIM)


def record(bus: Bus, kept: Kept, way: Route) -> None:
    """Note that an answer went out whole; a claim is delivered when it is redeemed.

    Bytes that `Bus.get` read back were noted there.
    """
    if way is Route.INLINE and kept.payload is not None:
        bus.deliveries.add(
            Delivery(kept.claim.transaction_id, bus.clock.now(), 0.0, bus.hop, {"whole": True})
        )


async def _whole(bus: Bus, kept: Kept, request_id: str) -> str:
    payload = kept.payload
    if payload is None:
        payload = await bus.get(kept.claim.transaction_id)
    if len(payload) <= THREAD_BYTES:
        return _result(kept, payload, request_id)
    return await asyncio.to_thread(_result, kept, payload, request_id)


def _result(kept: Kept, payload: bytes, request_id: str) -> str:
    fields: dict[str, Any] = {
        "request_id": request_id,
        "transaction_id": str(kept.claim.transaction_id),
        "checksum": kept.claim.checksum,
        "content_type": kept.claim.content_type,
        "outputs": outputs(payload, kept.claim.content_type),
    }
    return encode("call_tool_res", **fields)


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8"))
