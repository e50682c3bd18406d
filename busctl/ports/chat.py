"""Language models: their API, and what goes before a question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from busctl.core.providers.account import Account
from busctl.core.providers.chat import ChatRequest, Message, Piece
from busctl.ports.tools import Call


class ChatApi(Protocol):
    """One account's API. Everything that goes wrong is ApiFault."""

    def stream(self, body: Mapping[str, Any]) -> AbstractAsyncContextManager[AsyncIterator[Piece]]:
        """Ask, and give the answer piece by piece while the block runs."""

    async def check(self) -> str:
        """A cheap call that needs the key; says what was asked."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is sent for a request: all messages in order, and metadata that goes with the answer.
    `heard` is told each piece of the answer's text; `ended` once, when it is over, with the
    metadata of the answer, to which it may add, and whether it came whole."""

    messages: Sequence[Message]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    heard: Callable[[str], None] | None = None
    ended: Callable[[dict[str, Any], bool], Awaitable[None]] | None = None


class Preparing(Protocol):
    """Puts what a request names (files, a conversation) in front of its prompt."""

    async def prepare(self, request: ChatRequest, account: Account, call: Call) -> Prepared:
        """Raises BusctlError for what cannot be had: then nothing is asked."""
