"""Redeeming a claim over the session: the bytes of a message as binary frames."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from busctl.core import protocol
from busctl.core.envelope import ClaimCheck
from busctl.core.errors import BusctlError, MessageCorrupt, PeerGone
from busctl.core.hops import SENT, Hop, Measure
from busctl.core.principal import Principal, Scope
from busctl.core.protocol import Fetch, error_shape
from busctl.ops.bus import Opened
from busctl.ops.serve.answers import as_told
from busctl.ops.serve.sending import Sender
from busctl.ports import Span

if TYPE_CHECKING:
    from busctl.ops.serve.daemon import Daemon

log = logging.getLogger("busctl.serve")


async def fetch(
    daemon: Daemon, frame: Fetch, sender: Sender, principal: Principal,
    expect: Callable[[ClaimCheck], None],
) -> None:  # fmt: skip
    """Answer one fetch: fetch_res, the parts, fetch_end. No connection to the store is held while
    the client is slow. `expect` is told what is about to be sent. Raises PeerGone."""
    chosen = str(frame.transaction_id)
    with daemon.tracer.begin(
        Hop.DAEMON, "fetch", frame.traceparent, transaction_id=chosen, request_id=frame.request_id
    ) as span:
        await _answer(daemon, frame, sender, principal, expect, span)


async def _answer(
    daemon: Daemon, frame: Fetch, sender: Sender, principal: Principal,
    expect: Callable[[ClaimCheck], None], span: Span,
) -> None:  # fmt: skip
    began = daemon.bus.clock.monotonic()
    answer = "fetch_res"
    sent = Measure()
    opened: Opened | None = None
    try:
        await daemon.bus.require(principal, Scope.READ, frame.transaction_id)
        with daemon.tracer.begin(Hop.STORE, "get", span.traceparent):
            opened = await daemon.bus.open(
                frame.transaction_id, offset=frame.offset, length=frame.length,
                principal=principal.reads_as,
            )  # fmt: skip
        expect(opened.claim)
        await sender.send(
            "fetch_res", request_id=frame.request_id, **opened.claim.as_json(),
            offset=opened.start, length=opened.stop - opened.start,
        )  # fmt: skip
        answer = "fetch_end"
        with daemon.tracer.begin(Hop.WIRE, "fetch", span.traceparent) as wire:
            await _send_parts(sender, frame, opened, sent)
            wire.set(size=sent.size)
    except PeerGone:
        _note_sent(daemon, opened, sent, whole=False)
        daemon.meter.fetch_failed("websocket", PeerGone.code)
        raise
    except BusctlError as error:
        _note_sent(daemon, opened, sent, whole=False)
        daemon.meter.fetch_failed("websocket", error.code)
        log.warning("fetch failed", extra={**_ids(frame), "error": error.message})
        await sender.send(answer, request_id=frame.request_id, error=_fetch_error(frame, error))
        span.end(error.code)
        return
    await sender.send("fetch_end", request_id=frame.request_id, checksum=sent.checksum)
    _note_sent(daemon, opened, sent, whole=True)
    seconds = daemon.bus.clock.monotonic() - began
    daemon.meter.fetched("websocket", sent.size, seconds)
    if daemon.settings.log_all_operations:
        log.info("fetched", extra={**_ids(frame), "bytes": sent.size, "seconds": round(seconds, 3)})


async def _send_parts(sender: Sender, frame: Fetch, opened: Opened, sent: Measure) -> None:
    """Send raw bytes as they are read, measured as they go. Raises MessageCorrupt when they are not
    as many as fetch_res has promised."""
    async with aclosing(opened.pieces) as reading:  # type: ignore[type-var]  # the bus gives a generator
        async for piece in reading:
            for at in range(0, len(piece), protocol.PART_BYTES):
                raw = piece[at : at + protocol.PART_BYTES]
                offset = opened.start + sent.size
                hashing = asyncio.ensure_future(asyncio.to_thread(sent.add, raw))
                await sender.binary(protocol.part(frame.transaction_id, offset, raw))
                await hashing
    if sent.size != opened.stop - opened.start:
        raise MessageCorrupt(
            f"Message {frame.transaction_id} gave {sent.size:,} bytes of the "
            f"{opened.stop - opened.start:,} promised.",
            transaction_id=frame.transaction_id,
        )


def _note_sent(daemon: Daemon, opened: Opened | None, sent: Measure, *, whole: bool) -> None:
    """What went over the wire; `incomplete` when it did not go to its end."""
    if opened is None:
        return
    detail = {"via": "fetch", **sent.as_detail()}
    if not whole:
        detail["incomplete"] = True
    if opened.stop - opened.start != opened.claim.payload_size_bytes:
        detail["offset"] = opened.start
    daemon.bus.passed(opened.claim.transaction_id, SENT, Hop.WIRE, detail)


def _ids(frame: Fetch) -> dict[str, str]:
    return {"request_id": frame.request_id, "transaction_id": str(frame.transaction_id)}


def _fetch_error(frame: Fetch, error: BusctlError) -> dict[str, Any]:
    return {**error_shape(as_told(error)), "transaction_id": str(frame.transaction_id)}
