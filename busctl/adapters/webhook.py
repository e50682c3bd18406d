"""Alerts by HTTP: a signed JSON document, sent again when the other end may only be busy.

The signature is HMAC-SHA256 over `<timestamp>.<body>`, so that neither can be replayed alone:
X-Busctl-Timestamp has Unix seconds, X-Busctl-Signature `sha256=<hex>`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from urllib.parse import urlsplit

import httpx2

from busctl.core.errors import AlertUndelivered
from busctl.core.operating.alert import Notice
from busctl.core.operating.alert_json import told

TIMEOUT_SECS = 10.0
ATTEMPTS = 3
FIRST_PAUSE = 0.2
"""Seconds before a second attempt; doubled each time, and up to that much again by chance."""
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class _Busy(Exception):
    """Worth another attempt."""


class Webhook:
    """Implements `busctl.ports.AlertSink`. `timeout` (seconds) bounds one attempt, `attempts` how
    many there are at a time."""

    name = "webhook"

    def __init__(
        self, url: str, secret: str | None, *, timeout: float = TIMEOUT_SECS,
        attempts: int = ATTEMPTS,
    ) -> None:  # fmt: skip
        self._url = url
        self._secret = secret
        self._timeout = timeout
        self._attempts = attempts

    async def tell(self, notice: Notice) -> None:
        document = json.dumps(told(notice), ensure_ascii=False).encode()
        place = urlsplit(self._url)
        try:
            # The environment's proxies, but not to reach this machine.
            async with httpx2.AsyncClient(
                timeout=self._timeout, trust_env=place.hostname not in LOCAL
            ) as client:
                await self._post_patiently(client, document)
        except _Busy as error:
            # The URL may hold a secret: only its host is told.
            raise AlertUndelivered(f"{place.hostname} did not take it: {error}.") from error

    async def _post_patiently(self, client: httpx2.AsyncClient, document: bytes) -> None:
        pause = FIRST_PAUSE
        for left in reversed(range(self._attempts)):
            try:
                return await self._post(client, document)
            except _Busy:
                if not left:
                    raise
            # Spread by chance, so that many machines do not come again all at once.
            await asyncio.sleep(pause + random.uniform(0, pause))  # noqa: S311  # hides nothing
            pause *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _post(self, client: httpx2.AsyncClient, document: bytes) -> None:
        try:
            response = await client.post(
                self._url, content=document, headers=self._headers(document)
            )
        except httpx2.TransportError as error:
            raise _Busy(type(error).__name__) from error
        code = response.status_code
        if code >= httpx2.codes.INTERNAL_SERVER_ERROR or code == httpx2.codes.TOO_MANY_REQUESTS:
            raise _Busy(f"status {code}")
        if not response.is_success:
            host = urlsplit(self._url).hostname
            raise AlertUndelivered(f"{host} refused it with status {code}.")

    def _headers(self, document: bytes) -> dict[str, str]:
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json", "User-Agent": "busctl",
            "X-Busctl-Timestamp": stamp,
        }  # fmt: skip
        if self._secret is not None:
            headers["X-Busctl-Signature"] = signature(self._secret, stamp, document)
        return headers


def signature(secret: str, timestamp: str, document: bytes) -> str:
    """What X-Busctl-Signature says."""
    message = timestamp.encode() + b"." + document
    return f"sha256={hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()}"
