"""Redeeming a claim over the session: the bytes of a message as binary frames."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from busctl.core import protocol
from busctl.core.errors import BusctlError, PeerGone
from busctl.core.principal import Principal, Scope
from busctl.core.protocol import Fetch, error_shape
from busctl.ops.serve.answers import as_told
from busctl.ops.serve.sending import Sender

if TYPE_CHECKING:
    from busctl.ops.serve.daemon import Daemon

log = logging.getLogger("busctl.serve")


async def fetch(daemon: Daemon, frame: Fetch, sender: Sender, principal: Principal) -> None:
    """Answer one fetch: fetch_res, the parts, fetch_end. No connection to the store is held while
    the client is slow. Raises PeerGone."""
    began = daemon.bus.clock.monotonic()
    answer = "fetch_res"
    sent = 0
    try:
        await daemon.bus.require(principal, Scope.READ, frame.transaction_id)
        opened = await daemon.bus.open(
            frame.transaction_id, offset=frame.offset, length=frame.length,
            principal=principal.reads_as,
        )  # fmt: skip
        await sender.send(
            "fetch_res", request_id=frame.request_id, **opened.claim.as_json(),
            offset=opened.start, length=opened.stop - opened.start,
        )  # fmt: skip
        answer = "fetch_end"
        digest = await _send_parts(sender, frame, opened.start, opened.pieces)
        sent = opened.stop - opened.start
    except PeerGone:
        daemon.meter.fetch_failed("websocket", PeerGone.code)
        raise
    except BusctlError as error:
        daemon.meter.fetch_failed("websocket", error.code)
        log.warning("fetch failed", extra={**_ids(frame), "error": error.message})
        await sender.send(answer, request_id=frame.request_id, error=_fetch_error(frame, error))
        return
    await sender.send("fetch_end", request_id=frame.request_id, checksum=digest)
    seconds = daemon.bus.clock.monotonic() - began
    daemon.meter.fetched("websocket", sent, seconds)
    if daemon.settings.log_all_operations:
        log.info("fetched", extra={**_ids(frame), "bytes": sent, "seconds": round(seconds, 3)})


async def _send_parts(
    sender: Sender, frame: Fetch, start: int, pieces: AsyncIterator[bytes]
) -> str:
    """Send raw bytes as they are read; returns their SHA-256 in hex."""
    digest, offset = hashlib.sha256(), start
    async with aclosing(pieces) as reading:  # type: ignore[type-var]  # the bus gives a generator
        async for piece in reading:
            for at in range(0, len(piece), protocol.PART_BYTES):
                raw = piece[at : at + protocol.PART_BYTES]
                hashing = asyncio.ensure_future(asyncio.to_thread(digest.update, raw))
                await sender.binary(protocol.part(frame.transaction_id, offset, raw))
                await hashing
                offset += len(raw)
    return digest.hexdigest()


def _ids(frame: Fetch) -> dict[str, str]:
    return {"request_id": frame.request_id, "transaction_id": str(frame.transaction_id)}


def _fetch_error(frame: Fetch, error: BusctlError) -> dict[str, Any]:
    return {**error_shape(as_told(error)), "transaction_id": str(frame.transaction_id)}
