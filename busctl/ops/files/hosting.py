"""A provider's files, asked again where that may help, with its faults by their names."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import IO, TypeVar

from busctl.core.errors import ProviderBusy
from busctl.core.files.manifest import FileRef
from busctl.core.providers.account import Account
from busctl.core.providers.faults import RETRIED, ApiFault, pause_after, retry_after, verdict_of
from busctl.ops.chat.asking import refusal
from busctl.ports import Clock, FileHost

Result = TypeVar("Result")


class PatientHost:
    """Implements `busctl.ports.FileHost` around one that raises ApiFault: raises ProviderRefused,
    ProviderUnauthorized, ProviderQuota and ProviderBusy, all of them ToolFailed."""

    def __init__(self, host: FileHost, account: Account, clock: Clock) -> None:
        self._host = host
        self._account = account
        self._clock = clock

    @property
    def account(self) -> str:
        return self._host.account

    async def upload(self, name: str, content: IO[bytes], purpose: str) -> FileRef:
        return await self._asked(lambda: self._host.upload(name, content, purpose))

    async def find(self, file_id: str) -> FileRef | None:
        return await self._asked(lambda: self._host.find(file_id))

    async def content(self, file_id: str) -> str:
        return await self._asked(lambda: self._host.content(file_id))

    async def list(self) -> Sequence[FileRef]:
        return await self._asked(self._host.list)

    async def delete(self, file_id: str) -> bool:
        return await self._asked(lambda: self._host.delete(file_id))

    async def _asked(self, work: Callable[[], Awaitable[Result]]) -> Result:
        attempt, profile = 0, self._account.profile
        while True:
            attempt += 1
            try:
                return await work()
            except ApiFault as fault:
                verdict = verdict_of(profile, fault)
                if verdict not in RETRIED:
                    raise refusal(self._account, verdict, fault) from fault
                now, spread = self._clock.now(), random.random()  # noqa: S311  # hides nothing
                pause = pause_after(attempt, fault, profile.retries, now=now, spread=spread)
                if pause is None:
                    raise ProviderBusy(
                        f"The files of {profile.title} are not to be had: {fault}",
                        retry_after=retry_after(fault.retry_after, now),
                    ) from fault
            await asyncio.sleep(pause)
