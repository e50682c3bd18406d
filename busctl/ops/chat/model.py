"""A language model that answers one question at a time with JSON: what the watcher asks."""

from __future__ import annotations

import asyncio
from typing import Any

from busctl.core.errors import AnswerCut, BusctlError, ModelFailed
from busctl.core.providers.account import Account
from busctl.core.providers.chat import ChatRequest, body_of, plain_messages
from busctl.core.providers.profile import Thinks
from busctl.core.providers.tally import Tally
from busctl.core.watching.analysis import SYSTEM, Reply
from busctl.ops.chat.asking import Asking
from busctl.ports import ChatApi, Clock


class JsonModel:
    """Implements `busctl.ports.Model`. `seconds` is how long one attempt may take."""

    def __init__(
        self, account: Account, api: ChatApi, clock: Clock, model: str, *, seconds: float
    ) -> None:
        self._account = account
        self._api = api
        self._clock = clock
        self._model = model
        self._seconds = seconds

    async def ask(self, question: str) -> Reply:
        """Raises ModelFailed; the key is in none of its texts."""
        profile = self._account.profile
        seconds = self._seconds * profile.retries.attempts
        until = self._clock.monotonic() + seconds
        asking = Asking(self._account, self._api, self._clock, until, lambda _: None)
        request = self._request(question)
        tally = Tally(profile)
        try:
            body = body_of(profile, request, plain_messages(request))
            body["response_format"] = {"type": "json_object"}
            async with asyncio.timeout(seconds):
                text = await self._whole(asking, body, tally)
        except TimeoutError as error:
            raise ModelFailed(f"{profile.title} gave no answer in {seconds:g} s.") from error
        except BusctlError as error:
            said = error.message  # with a provider's own words at its end
            raise ModelFailed(said if said.endswith((".", "!", "?")) else f"{said}.") from error
        tally.settle()
        tokens = tally.usage.get("total_tokens")
        return Reply(text, tokens if isinstance(tokens, int) else 0)

    async def _whole(self, asking: Asking, body: dict[str, Any], tally: Tally) -> str:
        """One that breaks off is asked for again: nobody has had anything of it yet. Raises
        ModelFailed when it breaks off each time."""
        for _ in range(self._account.profile.retries.attempts):
            try:
                text = "".join([tally.add(piece) async for piece in asking.ask(body, tally)])
            except AnswerCut:
                continue
            if tally.finish is not None:
                return text
        raise ModelFailed(f"Each answer of {self._account.profile.title} broke off.")

    def _request(self, question: str) -> ChatRequest:
        """As sober as the model can be."""
        known = self._account.profile.model(self._model)
        fixed = known is not None and known.fixed_temperature
        thinks = known is not None and known.thinking is Thinks.OPTIONAL
        return ChatRequest(
            question, model=self._model, system=SYSTEM, temperature=None if fixed else 0,
            thinking=False if thinks else None,
        )  # fmt: skip
