"""What followers and watchers have done, as the dashboard shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FollowerState:
    """Where a follower is: `waiting` messages are before it, the oldest of them for `lag`."""

    name: str
    moved_at: datetime
    waiting: int
    lag: timedelta
    holder: str | None
    listening: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """One observation: what a watcher saw in a message. `ok` None: it does not say."""

    transaction_id: UUID
    at: datetime
    observed: UUID
    watcher: str
    tool_name: str | None
    ok: bool | None
    severity: str | None
    findings: int | None

    @property
    def is_wrong(self) -> bool:
        """Whether somebody should look: notes (severity info) are none of that."""
        return self.ok is False and self.severity != "info"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a watcher found wrong."""

    observation: UUID
    at: datetime
    observed: UUID
    watcher: str
    tool_name: str | None
    rule: str
    severity: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Watch:
    """All of it, the newest of a day first."""

    followers: Sequence[FollowerState]
    observations: Sequence[Observed]
    remarks: Sequence[Remark]
