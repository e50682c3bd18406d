"""Whether providers take their keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from busctl.core.providers.account import Account
from busctl.core.providers.faults import RETRIED, ApiFault, verdict_of
from busctl.ops.chat.asking import refusal
from busctl.ports import ChatApi, Clock


@dataclass(frozen=True, slots=True)
class Looked:
    """How one account's call went. `ok` None: it could not be told. `asked` is what was asked."""

    account: Account
    ok: bool | None
    seconds: float
    asked: str = ""
    said: str = ""
    remedy: str = ""


async def check(
    accounts: Sequence[Account], api: Callable[[Account], ChatApi], clock: Clock
) -> list[Looked]:
    """One cheap call that needs the key to each account, all at once."""
    return list(await asyncio.gather(*(_look(one, api(one), clock) for one in accounts)))


async def _look(account: Account, api: ChatApi, clock: Clock) -> Looked:
    began = clock.monotonic()
    try:
        asked = await api.check()
    except ApiFault as fault:
        seconds = clock.monotonic() - began
        verdict = verdict_of(account.profile, fault)
        if verdict in RETRIED:
            return Looked(account, None, seconds, said=str(fault), remedy="Try again later.")
        error = refusal(account, verdict, fault)
        return Looked(account, False, seconds, said=error.message, remedy=error.remedy)
    finally:
        await api.close()
    return Looked(account, True, clock.monotonic() - began, asked)
