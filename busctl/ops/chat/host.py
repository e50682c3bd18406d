"""The chat tools of a daemon: one for each provider whose key is set."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from busctl.core.content_type import TEXT
from busctl.core.errors import ToolNotFound
from busctl.core.providers.account import Account
from busctl.core.providers.chat import ChatRequest, body_of, plain_messages
from busctl.ops.chat.answering import Answering
from busctl.ops.chat.asking import Asking
from busctl.ops.chat.question import Question
from busctl.ports import Answer, Call, ChatApi, Clock, Prepared, Preparing, ToolInfo

Aside = Callable[[Call, bytes], Awaitable[UUID]]
"""Keeps bytes that belong to a call beside its answer, as a message of their own."""


@dataclass(frozen=True, slots=True)
class _Tool:
    account: Account
    api: ChatApi
    question: Question
    gate: asyncio.Semaphore
    info: ToolInfo


class ChatTools:
    """The ToolHost of language models. `api` makes the API of an account; `preparing` is what
    knows files and conversations, without which the tools take none; `aside` keeps what a model
    thought, for those who ask for it; `seconds` bounds a call."""

    def __init__(
        self, accounts: Sequence[Account], api: Callable[[Account], ChatApi], clock: Clock, *,
        seconds: float, concurrency: int | None = None, preparing: Preparing | None = None,
        aside: Aside | None = None,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._seconds = seconds
        self._preparing = preparing
        self._aside = aside
        self._tools: dict[str, _Tool] = {}
        for account in accounts:
            if account.usable:
                question = Question(account, prepared=preparing is not None)
                gate = asyncio.Semaphore(concurrency or account.profile.concurrency)
                self._tools[account.tool] = _Tool(
                    account, api(account), question, gate, question.info
                )
        self._listed = [self._tools[name].info for name in sorted(self._tools)]

    def list_tools(self) -> Sequence[ToolInfo]:
        return self._listed

    async def call(self, call: Call) -> Answer:
        """Ask. The answer's text is its pieces; its metadata is whole when they have ended. Raises
        ToolNotFound, InvalidArguments, and from the pieces the errors of providers."""
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolNotFound(f"No tool is named {call.name!r}.")
        until = self._clock.monotonic() + self._seconds
        request = tool.question.request(call.arguments)
        body_of(tool.account.profile, request, ())  # what cannot be asked needs no preparing
        prepared = await self._prepared(request, tool.account, call)
        asking = Asking(tool.account, tool.api, self._clock, until, call.note)
        keep = None if self._aside is None else partial(self._aside, call)
        answering = Answering(tool.account, request, prepared, asking, tool.gate, self._clock, keep)
        return Answer(None, answering.pieces(), TEXT, metadata=answering.metadata)

    async def close(self) -> None:
        """Let go of the connections."""
        for tool in self._tools.values():
            await tool.api.close()

    async def _prepared(self, request: ChatRequest, account: Account, call: Call) -> Prepared:
        if self._preparing is None:
            return Prepared(plain_messages(request))
        return await self._preparing.prepare(request, account, call)
