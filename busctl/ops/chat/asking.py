"""Asking a provider: again where that may help and nothing has come yet, within a deadline."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from busctl.core.errors import (
    AnswerCut,
    ProviderBusy,
    ProviderQuota,
    ProviderRefused,
    ProviderUnauthorized,
    ToolFailed,
)
from busctl.core.providers.account import Account
from busctl.core.providers.chat import Piece
from busctl.core.providers.faults import (
    RETRIED,
    ApiFault,
    Verdict,
    pause_after,
    retry_after,
    verdict_of,
)
from busctl.core.providers.tally import Tally
from busctl.ports import ChatApi, Clock


class Asking:
    """The requests of one answer. `until` is the monotonic time at which it must be there."""

    def __init__(
        self, account: Account, api: ChatApi, clock: Clock, until: float,
        note: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._account = account
        self._api = api
        self._clock = clock
        self.until = until
        self.note = note
        self.retries = 0

    async def ask(self, body: Mapping[str, Any], tally: Tally) -> AsyncIterator[Piece]:
        """The pieces of one round, each added to the tally by whoever takes it. Raises the errors
        of a provider, AnswerCut for what broke off after it had begun."""
        attempt = 0
        while True:
            attempt += 1
            tally.again()
            try:
                async with self._api.stream(body) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except ApiFault as fault:
                if tally.begun:
                    raise self._cut(fault) from fault
                await self._wait(attempt, fault)
            self.retries += 1

    async def _wait(self, attempt: int, fault: ApiFault) -> None:
        """Wait for the next attempt. Raises what there is to say when there is none."""
        profile = self._account.profile
        verdict = verdict_of(profile, fault)
        if verdict not in RETRIED:
            raise refusal(self._account, verdict, fault) from fault
        now = self._clock.now()
        spread = random.random()  # noqa: S311  # hides nothing
        pause = pause_after(attempt, fault, profile.retries, now=now, spread=spread)
        if pause is None or self._clock.monotonic() + pause >= self.until:
            raise self._given_up(attempt, fault) from fault
        self.note(f"{profile.title}: {fault}; asking again in {pause:.1f} s")
        await asyncio.sleep(pause)

    def _given_up(self, attempt: int, fault: ApiFault) -> ProviderBusy:
        times = "once" if attempt == 1 else f"{attempt} times"
        return ProviderBusy(
            f"{self._account.profile.title} was asked {times} and gave no answer: {fault}",
            retry_after=retry_after(fault.retry_after, self._clock.now()),
        )

    def _cut(self, fault: ApiFault) -> AnswerCut:
        return AnswerCut(f"The answer of {self._account.profile.title} broke off: {fault}")


def refusal(account: Account, verdict: Verdict, fault: ApiFault) -> ToolFailed:
    """The named error for what asking again does not help."""
    title = account.profile.title
    match verdict:
        case Verdict.UNAUTHORIZED:
            # The provider's own words may quote the key.
            variable = account.key_variable or account.variables
            return ProviderUnauthorized(
                f"{title} at {account.base} does not take the key in {variable} "
                f"(status {fault.status or 'unknown'}{', ' + fault.code if fault.code else ''}).",
                remedy=f"Set {variable} to a key of that site that may use this model.",
            )
        case Verdict.QUOTA:
            return ProviderQuota(f"{title} has no balance or quota left: {fault}")
        case Verdict.FILTERED:
            return ProviderRefused(
                f"{title} refuses the content of the question: {fault}",
                remedy="Ask for something else, or leave out what it objects to.",
            )
    return ProviderRefused(
        f"{title} refused the request: {fault}",
        remedy="`busctl providers` lists the models and what they take.",
    )
