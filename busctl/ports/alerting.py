"""What daemons leave for others to see, and the alerts raised about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from busctl.core.operating.alert import Alert, Notice
from busctl.core.operating.journal import DaemonState, Kind, SystemEvent


class Journal(Protocol):
    """What daemons say of themselves. Raises the store's errors as Store does."""

    async def daemon_seen(self, state: DaemonState) -> None:
        """Write how a daemon is; the time it was seen is the server's."""

    async def daemon_left(self, daemon: str) -> None:
        """Take its row away: it has stopped as it should."""

    async def daemons(self) -> Sequence[DaemonState]:
        """Every daemon, those included that died without a word."""

    async def record_system_events(self, events: Sequence[SystemEvent]) -> None: ...
    async def system_events(
        self, since: datetime, *, kinds: Sequence[Kind] = (), limit: int = 100
    ) -> Sequence[SystemEvent]:
        """Events since then, newest first; of some kinds only when `kinds` are given."""


class AlertBook(Protocol):
    """Where alerts and what is to be told of them are kept: the store, or a file of this machine
    while that is away. Raises the store's errors, or FileFailed."""

    async def turn(
        self, step: Callable[[Sequence[Alert]], tuple[Sequence[Alert], Sequence[Notice]]]
    ) -> Sequence[Notice]:
        """Replace all alerts by what `step` makes of them and add its notices, all at once and
        while nobody else does. Returns those notices."""

    async def claim(self) -> Sequence[Notice]:
        """Undelivered notices, oldest first, which nobody else delivers meanwhile."""

    async def settle(self, notice: Notice) -> None:
        """Keep the outcomes of an attempt to deliver a claimed notice."""

    async def alerts(self) -> Sequence[Alert]: ...
    async def notices(self, limit: int) -> Sequence[Notice]:
        """The newest, newest first."""

    async def undelivered(self) -> Sequence[Notice]:
        """Those that a sink did not take, oldest first."""


class AlertSink(Protocol):
    """Tells somebody of an alert."""

    @property
    def name(self) -> str: ...
    async def tell(self, notice: Notice) -> None:
        """Raises AlertUndelivered."""
