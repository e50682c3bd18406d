"""Reading each message once, in the order of commits, and having it looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from busctl.core.envelope import Envelope
from busctl.core.operating.diagnosis import Mode
from busctl.core.watching.analysis import Reply
from busctl.core.watching.following import Batch, Carried
from busctl.core.watching.observation import Stage
from busctl.ports.store import Draft, Filter


class Ear(Protocol):
    """Hears that there are new messages."""

    async def wait(self, seconds: float) -> bool:
        """Whether somebody called within that time. Raises the store's errors."""


class Feed(Protocol):
    """Batches of new messages for followers. Raises the store's errors as Store does."""

    async def mode(self) -> Mode:
        """How the store is reached, as was proved: where a call (`ear`) does not get through."""

    async def claim(
        self, follower: str, holder: str, wanted: Filter, *, most: int, carried: Carried,
        since: datetime | None, from_now: bool,
    ) -> Batch | None:  # fmt: skip
        """The next messages, held for `holder` for a short time; None when there are none, or
        another holds them. `since` and `from_now` say where a new follower begins. Raises
        CursorForeign."""

    async def commit(self, batch: Batch, messages: Sequence[tuple[Draft, bytes]] = ()) -> bool:
        """Move the cursor behind the batch and store messages, in one transaction; False, with
        nothing done, when another has moved it."""

    def transaction(self, batch: Batch) -> AbstractAsyncContextManager[Any]:
        """As `commit`, around what the caller writes on the connection."""

    async def stay(self, follower: str, holder: str, *, listen_secs: float | None) -> None:
        """Hold on what is held; have it known for so long that somebody listens."""

    async def is_held(self, follower: str, holder: str) -> bool:
        """Whether another than `holder` has the next batch, and it is not overdue."""

    async def forget(self, follower: str) -> bool: ...
    async def tidy(self) -> None:
        """Forget those without a name of their own whose process has gone."""

    def ear(self) -> AbstractAsyncContextManager[Ear]: ...


@dataclass(frozen=True, slots=True)
class Neglected:
    """A message that nobody has redeemed, and how long it has to live."""

    envelope: Envelope
    left: timedelta


class Model(Protocol):
    """A language model."""

    async def ask(self, question: str) -> Reply:
        """Raises ModelFailed."""


class Neglect(Protocol):
    """Finds what nobody redeems. Raises the store's errors."""

    async def begin(self) -> tuple[datetime, datetime | None]:
        """The store's time, and up to when it was swept before."""

    def pages(
        self, stage: Stage, behind: datetime | None, after: timedelta, ahead: timedelta, most: int
    ) -> AsyncIterator[Sequence[Neglected]]:
        """Those that became so since `behind`: older than `after`, or with less than `ahead` and a
        tenth of their time left; up to `most` at once."""

    async def end(self, began: datetime) -> None:
        """A sweep that began then is done."""
