"""A chat model behind an OpenAI-compatible API (GLM, Kimi and others): POST {url}/chat/completions.

docs.bigmodel.cn and platform.kimi.ai describe the same request: model, messages, temperature,
response_format json_object; `usage.total_tokens` in the reply.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any
from urllib.parse import urlsplit

import httpx2

from busctl.core.analysis import SYSTEM, Reply
from busctl.core.errors import ModelFailed

ATTEMPTS = 4
FIRST_PAUSE = 1.0
"""Seconds before a second attempt, where the other end does not say; doubled each time."""
LONGEST_PAUSE = 60.0
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class _Busy(Exception):
    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class ChatModel:
    """Implements `busctl.ports.Model`. `timeout` (seconds) bounds one attempt, `attempts` how many
    there are."""

    def __init__(
        self, url: str, key: str, model: str, *, timeout: float,
        attempts: int = ATTEMPTS, first_pause: float = FIRST_PAUSE,
    ) -> None:  # fmt: skip
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._host = urlsplit(url).hostname
        self._key = key
        self._model = model
        self._timeout = timeout
        self._first_pause = first_pause
        self._attempts = attempts

    async def ask(self, question: str) -> Reply:
        """Raises ModelFailed; the key is in none of its texts."""
        body = {
            "model": self._model, "temperature": 0, "response_format": {"type": "json_object"},
            "messages": [
                {"role": "system", "content": SYSTEM}, {"role": "user", "content": question},
            ],
        }  # fmt: skip
        pause = self._first_pause
        # The environment's proxies, but not to reach this machine.
        async with httpx2.AsyncClient(
            timeout=self._timeout, trust_env=self._host not in LOCAL
        ) as client:
            for left in reversed(range(self._attempts)):
                try:
                    return await self._post(client, body)
                except _Busy as error:
                    if not left:
                        raise ModelFailed(f"{self._host} did not answer: {error}.") from error
                    wait = pause if error.after is None else error.after
                await asyncio.sleep(min(wait, LONGEST_PAUSE) + random.uniform(0, pause / 4))  # noqa: S311  # hides nothing
                pause *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _post(self, client: httpx2.AsyncClient, body: dict[str, Any]) -> Reply:
        try:
            response = await client.post(
                self._url, json=body, headers={"Authorization": f"Bearer {self._key}"}
            )
        except httpx2.TransportError as error:
            raise _Busy(type(error).__name__) from error
        code = response.status_code
        if code >= httpx2.codes.INTERNAL_SERVER_ERROR or code == httpx2.codes.TOO_MANY_REQUESTS:
            raise _Busy(f"status {code}", _after(response.headers.get("Retry-After")))
        if not response.is_success:
            raise ModelFailed(f"{self._host} refused the question with status {code}.")
        try:
            said = response.json()
            text = said["choices"][0]["message"]["content"]
            tokens = int(said.get("usage", {}).get("total_tokens", 0))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ModelFailed(f"{self._host} answered something else than a reply.") from error
        return Reply(str(text), tokens)


def _after(said: str | None) -> float | None:
    return float(said) if said is not None and said.isdecimal() else None
