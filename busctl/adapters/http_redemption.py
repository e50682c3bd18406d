"""Redeems a claim over HTTP: `GET /messages/{id}`, verified."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from uuid import UUID

import httpx2

from busctl.core.codec import Decoder
from busctl.core.envelope import Compression
from busctl.core.errors import BusctlError, DaemonUnreachable, MessageCorrupt, ProtocolError
from busctl.core.replies import read_error

TIMEOUT_SECS = 30.0
"""Longest wait for a connection or for more bytes; never for a whole transfer."""


class HttpRedemption:
    """Redeems at the daemon of `url` (http:// or https://), showing `token`."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, token: str, *, timeout: float = TIMEOUT_SECS
    ) -> AsyncIterator[HttpRedemption]:
        """`async with HttpRedemption.connect(url, token) as http:`; `timeout` in seconds, of one
        wait for the daemon."""
        async with httpx2.AsyncClient(
            base_url=url, timeout=timeout, trust_env=False,
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
        ) as client:  # fmt: skip
            yield cls(client)

    async def get(self, transaction_id: UUID, coding: str = "identity") -> bytes:
        """The payload, checked against the size and the digests of its headers.

        With `coding` zstd or gzip a message that is stored so crosses as it is stored and is
        unpacked here. Raises the outcomes of redeeming, MessageCorrupt for bytes that differ or
        end early, and DaemonUnreachable.
        """
        try:
            async with self._client.stream(
                "GET", f"/messages/{transaction_id}", headers={"Accept-Encoding": coding}
            ) as response:
                if response.status_code != httpx2.codes.OK:
                    await response.aread()
                    raise _refused(response)
                body = b"".join([piece async for piece in response.aiter_raw()])
        except httpx2.RemoteProtocolError as error:
            raise _corrupt(transaction_id, f"it was cut ({error})") from error
        except httpx2.TransportError as error:
            raise DaemonUnreachable(
                f"{self._client.base_url} did not answer: {str(error) or type(error).__name__}."
            ) from error
        return await asyncio.to_thread(_verified, transaction_id, response.headers, body)


def _verified(transaction_id: UUID, headers: httpx2.Headers, body: bytes) -> bytes:
    crossed = f"sha-256=:{base64.b64encode(sha256(body).digest()).decode()}:"
    if headers.get("repr-digest") != crossed:
        raise _corrupt(transaction_id, f"what crossed has Repr-Digest {crossed}")
    payload = body
    if coding := headers.get("content-encoding"):
        try:
            size = int(headers.get("x-busctl-size", ""))
            payload = Decoder(Compression(coding)).decode(body, size)
        except ValueError as error:  # no size, an unknown coding, or CodecError
            raise _corrupt(transaction_id, f"its {coding} body {error}") from error
    told = headers.get("x-busctl-size"), headers.get("x-busctl-checksum")
    digest = sha256(payload).hexdigest()
    if told != (str(len(payload)), digest):
        raise _corrupt(transaction_id, f"{len(payload):,} bytes with SHA-256 {digest} came")
    return payload


def _refused(response: httpx2.Response) -> BusctlError:
    try:
        shape = response.json()["error"]
    except (ValueError, KeyError, TypeError) as error:
        return ProtocolError(f"{response.url} answered {response.status_code}: {error!r}.")
    return read_error(shape)


def _corrupt(transaction_id: UUID, why: str) -> MessageCorrupt:
    return MessageCorrupt(
        f"Message {transaction_id} did not come as it is stored: {why}.",
        transaction_id=transaction_id,
        remedy="Fetch it again; `busctl get` reads it from the store itself.",
    )
