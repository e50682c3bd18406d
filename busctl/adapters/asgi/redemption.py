"""`GET /messages/{id}`: a message redeemed over HTTP, streamed.

A message that was stored compressed is passed on as it is to a client that takes the coding; a
range is always of the raw bytes. `Repr-Digest` covers what crosses (RFC 9530),
`X-Busctl-Checksum` is the SHA-256 of the raw payload. When a stored byte turns out wrong in
mid-stream the connection is cut short of its Content-Length: there is no clean end.
"""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from busctl.adapters.asgi.bearer import principal_of
from busctl.adapters.asgi.conditions import Unsatisfiable, accepts, expects, names, range_of
from busctl.adapters.asgi.problems import problem
from busctl.core.envelope import ClaimCheck, Compression
from busctl.core.errors import BusctlError
from busctl.core.hops import SENT, Hop
from busctl.core.ids import parse_id
from busctl.core.principal import Principal, Scope
from busctl.core.traceparent import traceparent_in
from busctl.core.untraced import UNTRACED
from busctl.ports import Meter, Readable, Reading, TokenGuard, Tracer

VIA = "http"
PLAIN = 200
log = logging.getLogger("busctl.http")


@dataclass(frozen=True, slots=True)
class Representation:
    """The bytes of a message in one coding; `coding` is "" for the payload itself."""

    coding: str
    digest: bytes
    size: int

    @property
    def etag(self) -> str:
        return f'"{self.digest.hex()}{"-" if self.coding else ""}{self.coding}"'


class Redemption:
    """Serves the messages of a principal to whoever shows its token."""

    def __init__(
        self, reading: Reading, guard: TokenGuard, meter: Meter, *, log_all: bool,
        tracer: Tracer = UNTRACED,
    ) -> None:  # fmt: skip
        self.tracer = tracer
        self._log_all = log_all
        self._reading = reading
        self._guard = guard
        self._meter = meter

    async def serve(self, request: Request) -> Response:
        """GET and HEAD. Errors are raised by their names before the first byte."""
        return await self.serve_to(request, await principal_of(request, self._guard))

    async def serve_to(self, request: Request, principal: Principal) -> Response:
        """The same to somebody who is known already."""
        transaction_id = parse_id(request.path_params["id"])
        with self.tracer.begin(
            Hop.DAEMON, "redeem", traceparent_in(request.headers),
            transaction_id=str(transaction_id),
        ) as span:  # fmt: skip
            try:
                await self._reading.require(principal, Scope.READ, transaction_id)
                reader = principal.reads_as
                with self.tracer.begin(Hop.STORE, "get", span.traceparent):
                    opened = await self._reading.open(transaction_id, principal=reader)
                response = await self._respond(request, opened, reader)
                if isinstance(response, Payload):
                    response.traceparent = span.traceparent
                return response
            except BusctlError as error:
                self._failed(error)
                raise

    async def _respond(self, request: Request, opened: Readable, reader: str | None) -> Response:
        claim = opened.claim
        shape = _representation(request, opened)
        if not expects(request.headers.get("if-match"), shape.etag):
            return problem(
                412, "PRECONDITION_FAILED", f"The ETag of that message is {shape.etag}.",
                transaction_id=claim.transaction_id,
                remedy="Leave If-Match out, or fetch it anew: one message never changes.",
            )  # fmt: skip
        known = request.headers.get("if-none-match")
        if known is not None and names(known, shape.etag):
            return Response(status_code=304, headers=_validators(shape, claim))
        try:
            wanted = _range(request, shape)
        except Unsatisfiable:
            return _unsatisfiable(shape, claim)
        headers = _headers(shape, claim)
        if wanted is not None:
            start, stop = wanted
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{shape.size}"
            headers["Content-Length"] = str(stop - start)
        status = 200 if wanted is None else 206
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        return await self._stream(opened, shape, wanted, status, headers, reader)

    async def _stream(
        self, opened: Readable, shape: Representation, wanted: tuple[int, int] | None,
        status: int, headers: dict[str, str], reader: str | None,
    ) -> Response:  # fmt: skip
        transaction_id = opened.claim.transaction_id
        if shape.coding:
            opened = await self._reading.open_stored(transaction_id, principal=reader)
        elif wanted is not None:
            start, stop = wanted
            opened = await self._reading.open(
                transaction_id, offset=start, length=stop - start, principal=reader
            )
        # What is wrong with the first bytes can be told by a status still.
        first = await anext(opened.pieces, b"")
        return Payload(self, opened, first, status, headers)

    def delivered(
        self, claim: ClaimCheck, size_bytes: int, seconds: float, sent: dict[str, Any]
    ) -> None:
        self._meter.fetched(VIA, size_bytes, seconds)
        self.passed(claim, sent)
        if self._log_all:
            log.info(
                "fetched",
                extra={
                    "transaction_id": str(claim.transaction_id),
                    "bytes": size_bytes, "seconds": round(seconds, 3),
                },
            )  # fmt: skip

    def passed(self, claim: ClaimCheck, sent: dict[str, Any]) -> None:
        """Note what went over the wire: bytes counted, not hashed."""
        detail = {"via": VIA, **sent}
        self._reading.passed(claim.transaction_id, SENT, Hop.WIRE, detail)

    def cut(self, error: BusctlError) -> None:
        """The stream ends here, unfinished."""
        self._failed(error)
        log.error(
            "stream cut",
            extra={"transaction_id": str(error.transaction_id), "error": error.message},
        )

    def _failed(self, error: BusctlError) -> None:
        self._meter.fetch_failed(VIA, error.code)


class Payload(StreamingResponse):
    """Pieces of known total length. Ends without the end of the message when one is corrupt."""

    def __init__(
        self, redemption: Redemption, opened: Readable, first: bytes, status: int,
        headers: dict[str, str],
    ) -> None:  # fmt: skip
        super().__init__(_after(first, opened.pieces), status, headers)
        self._redemption = redemption
        self._claim = opened.claim
        self.traceparent: str | None = None
        self._start = opened.start

    async def stream_response(self, send: Send) -> None:
        began, sent = time.monotonic(), 0
        span = self._redemption.tracer.begin(Hop.WIRE, VIA, self.traceparent)
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        try:
            async for piece in self.body_iterator:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                sent += len(piece)
        except BusctlError as error:
            self._redemption.passed(self._claim, {**self._sent(sent), "incomplete": True})
            self._redemption.cut(error)
            span.end(error.code)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        span.set(size=sent)
        span.end()
        self._redemption.delivered(self._claim, sent, time.monotonic() - began, self._sent(sent))

    def _sent(self, size: int) -> dict[str, Any]:
        """A coding's bytes are no bytes of the payload: they have a name of their own."""
        if coding := self.headers.get("content-encoding"):
            return {"coding": coding, "coded_size": size}
        part = {} if self.status_code == PLAIN else {"offset": self._start}
        return {"size": size, **part}


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _representation(request: Request, opened: Readable) -> Representation:
    """As stored, when it is stored compressed and the client takes that and wants no range."""
    claim = opened.claim
    coding = claim.compression.value
    if (
        claim.compression is not Compression.NONE
        and "range" not in request.headers
        and accepts(request.headers.get("accept-encoding"), coding)
    ):
        return Representation(coding, opened.stored_checksum, opened.stored_size_bytes)
    return Representation("", bytes.fromhex(claim.checksum), claim.payload_size_bytes)


def _range(request: Request, shape: Representation) -> tuple[int, int] | None:
    condition = request.headers.get("if-range")
    if condition is not None and condition.strip() != shape.etag:
        return None  # another version, or a date, which we have none to compare with
    return range_of(request.headers.get("range"), shape.size)


def _validators(shape: Representation, claim: ClaimCheck) -> dict[str, str]:
    return {
        "ETag": shape.etag,
        "Vary": "Accept-Encoding",
        "Cache-Control": "private, no-cache",
        "X-Busctl-Checksum": claim.checksum,
    }


def _headers(shape: Representation, claim: ClaimCheck) -> dict[str, str]:
    headers = {
        **_validators(shape, claim),
        "Content-Type": _content_type(claim.content_type),
        "Content-Length": str(shape.size),
        "Content-Disposition": f'attachment; filename="{claim.transaction_id}"',
        "Repr-Digest": f"sha-256=:{base64.b64encode(shape.digest).decode('ascii')}:",
        "X-Busctl-Size": str(claim.payload_size_bytes),
        "X-Busctl-Expires-At": claim.expires_at.isoformat(),
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    if claim.incomplete:
        headers["X-Busctl-Incomplete"] = quote(claim.incomplete, safe=" ")
    if shape.coding:
        headers["Content-Encoding"] = shape.coding
    return headers


def _content_type(stored: str) -> str:
    """The type as stored, unless it could not be a header (it is the writer's own text)."""
    fits = stored.isascii() and stored.isprintable() and "/" in stored
    return stored if fits else "application/octet-stream"


def _unsatisfiable(shape: Representation, claim: ClaimCheck) -> Response:
    response = problem(
        416, "RANGE_NOT_SATISFIABLE", f"The payload has {shape.size} bytes.",
        transaction_id=claim.transaction_id, remedy="Ask for a range inside it.",
    )  # fmt: skip
    response.headers["Content-Range"] = f"bytes */{shape.size}"
    return response
