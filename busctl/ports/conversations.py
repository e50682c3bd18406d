"""Conversations with models: their order, and whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from busctl.core.providers.conversation import Part, Role


@dataclass(frozen=True, slots=True)
class Thread:
    """Which conversation: whose, and by what name."""

    owner: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Floor:
    """The turn, given: how many turns there were, and which provider answered the last one."""

    turns: int
    provider: str | None


@dataclass(frozen=True, slots=True)
class Spoken:
    """One message that a turn adds."""

    role: Role
    transaction_id: UUID
    detail: Mapping[str, Any]


class Conversations(Protocol):
    """Shared by all daemons of a store. `holder` names who has the turn. Every method raises the
    store's errors."""

    async def begin(
        self, thread: Thread, holder: str, lease: timedelta, ttl: timedelta
    ) -> Floor | None:
        """The turn, for one at a time; None while somebody else has it."""

    async def renew(self, thread: Thread, holder: str, lease: timedelta) -> bool: ...

    async def free(self, thread: Thread, holder: str) -> None:
        """Give the turn back without having said anything."""

    async def parts(self, thread: Thread) -> Sequence[Part]:
        """All messages in their order."""

    async def prolong(self, thread: Thread, ttl: timedelta) -> None:
        """Let its messages live for `ttl` from now, those that would end earlier; what has expired
        stays expired."""

    async def add(
        self, thread: Thread, holder: str, spoken: Sequence[Spoken], provider: str, ttl: timedelta
    ) -> int | None:
        """Add a turn, whole, and give the turn back; its number, None when the turn was lost."""
