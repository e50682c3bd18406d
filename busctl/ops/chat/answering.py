"""One answer of a language model: its text in pieces as it comes, the rest of it in metadata."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from typing import Any
from uuid import UUID

from busctl.core.envelope import INCOMPLETE
from busctl.core.errors import AnswerCut, BusctlError, CallTimedOut, ProviderRefused, ToolFailed
from busctl.core.providers.account import Account
from busctl.core.providers.chat import ChatRequest, Encoder, Piece, body_of
from busctl.core.providers.tally import MOST_CHARS, TOOL_CALLS, Tally
from busctl.core.text import printable
from busctl.ops.chat.asking import Asking
from busctl.ports import Clock, Prepared

Keep = Callable[[bytes], Awaitable[UUID]]
"""Keeps what goes beside an answer as a message of its own, and gives its id."""
PIECE_BYTES = 32 * 1024
PIECE_SECS = 0.5
"""The text goes on in pieces of that size, or as old as that: a piece a token would cost a step of
the store each."""
NOTE_SECS = 0.5


class Answering:
    """`metadata` is filled while the pieces are taken, and whole when they have ended."""

    def __init__(
        self, account: Account, request: ChatRequest, prepared: Prepared, asking: Asking,
        gate: AbstractAsyncContextManager[Any], clock: Clock, keep: Keep | None = None,
    ) -> None:  # fmt: skip
        self._account = account
        self._profile = account.profile
        self._request = request
        self._prepared = prepared
        self._asking = asking
        self._gate = gate
        self._clock = clock
        self._keep = keep
        self._began = self._noted = clock.monotonic()
        self._tally = Tally(
            account.profile, keep_reasoning=request.keep_reasoning, searches=request.web_search
        )
        # Before anything is asked: a request that cannot be made fails the call at once.
        self._body = body_of(account.profile, request, prepared.messages)
        self.metadata: dict[str, Any] = dict(prepared.metadata)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The text in UTF-8. Raises the errors of `Asking`, AnswerCut after the last piece that
        came of an answer that broke off."""
        whole = False
        encoder = Encoder()
        try:
            async with self._gate, aclosing(self._batched()) as texts:  # type: ignore[type-var]  # a generator
                async for text in texts:
                    with self._text():
                        piece = encoder.add(text)
                    yield piece
            with self._text():
                encoder.end()
            self._judge()
            whole = INCOMPLETE not in self.metadata
        except ToolFailed as error:
            if self._tally.text_bytes and not isinstance(error, AnswerCut):
                raise AnswerCut(error.message) from error
            raise
        finally:
            self._describe()
            await self._keep_reasoning()
            if self._prepared.ended is not None:
                await self._prepared.ended(self.metadata, whole)

    @contextmanager
    def _text(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise AnswerCut(
                f"The answer of {self._profile.title} is no text from here on: {error}."
            ) from error

    async def _batched(self) -> AsyncIterator[str]:
        held: list[str] = []
        size, since = 0, self._clock.monotonic()
        try:
            async with aclosing(self._texts()) as texts:  # type: ignore[type-var]  # a generator
                async for text in texts:
                    held.append(text)
                    size += len(text)
                    now = self._clock.monotonic()
                    if size >= PIECE_BYTES or now - since >= PIECE_SECS:
                        yield "".join(held)
                        held.clear()
                        size, since = 0, now
        except AnswerCut:
            if held:
                yield "".join(held)
            raise
        if held:
            yield "".join(held)

    async def _texts(self) -> AsyncIterator[str]:
        tally, asking = self._tally, self._asking
        rounds = self._profile.web_search.max_rounds if self._profile.web_search else 1
        while True:
            async with aclosing(self._in_time(asking.ask(self._body, tally))) as pieces:  # type: ignore[type-var]  # a generator
                async for piece in pieces:
                    text = tally.add(piece)
                    self._tell()
                    if text:
                        if self._prepared.heard is not None:
                            self._prepared.heard(text)
                        yield text
            tally.settle()
            if tally.finish != TOOL_CALLS or tally.rounds >= rounds:
                return
            echoes = tally.echoes()
            if not echoes:
                return
            self._body = {**self._body, "messages": [*self._body["messages"], *echoes]}

    async def _in_time(self, pieces: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
        """The same, while there is time. Raises AnswerCut when it is over, CallTimedOut when
        nothing of the answer had come by then."""
        async with aclosing(pieces):  # type: ignore[type-var]  # a generator
            while True:
                try:
                    async with asyncio.timeout(self._asking.until - self._clock.monotonic()):
                        piece = await anext(pieces, None)
                except TimeoutError as error:
                    said = f"{self._profile.title} gave no whole answer in time"
                    if self._tally.text_bytes:
                        raise AnswerCut(f"{said}: what came of it is kept.") from error
                    raise CallTimedOut(f"{said}, and nothing of one.") from error
                if piece is None:
                    return
                yield piece

    def _judge(self) -> None:
        """What the finish_reason of the last round says. Raises AnswerCut and ProviderRefused."""
        finish, known, title = self._tally.finish, self._profile.chat.finish, self._profile.title
        if finish is None:
            raise AnswerCut(f"The answer of {title} ended without a finish_reason.")
        if finish in known.failed:
            raise AnswerCut(f"{title} broke the answer off: finish_reason {finish}.")
        if finish == TOOL_CALLS:
            names = ", ".join(sorted({one.name for one in self._tally.calls}))
            raise ProviderRefused(
                f"{title} asked for a tool in place of an answer: {printable(names[:100])}.",
                remedy="Ask for less at a time; a web search has its bound of rounds.",
            )
        if finish in known.length:
            self.metadata[INCOMPLETE] = "length"
        elif finish in known.filtered:
            self.metadata[INCOMPLETE] = "content_filter"
        elif finish not in known.whole:
            self.metadata[INCOMPLETE] = printable(finish[:MOST_CHARS]) or "no reason"

    async def _keep_reasoning(self) -> None:
        """What the model thought is no part of its answer: it is a message of its own, if it was
        asked for."""
        if not self._tally.reasoning or self._keep is None:
            return
        try:
            kept = await self._keep(Encoder().add("".join(self._tally.reasoning)))
        except (BusctlError, ValueError) as error:
            # The answer is what was asked for; that this is missing is said with it.
            self.metadata["reasoning_not_kept"] = str(error)
        else:
            self.metadata["reasoning"] = str(kept)

    def _describe(self) -> None:
        tally = self._tally
        told: dict[str, Any] = {
            "provider": self._profile.name,
            "model": tally.model or self._request.model_of(self._profile),
            "finish_reason": tally.finish and printable(tally.finish[:MOST_CHARS]),
            "usage": tally.usage,
            "id": tally.id,
            "request_ids": tally.request_ids,
            "retries": self._asking.retries,
            "rounds": tally.rounds,
            "seconds": round(self._clock.monotonic() - self._began, 3),
            "reasoning_bytes": tally.reasoning_bytes,
            "web_search": tally.found,
        }
        self.metadata["chat"] = {
            name: value for name, value in told.items() if value not in (None, [], {})
        }

    def _tell(self) -> None:
        now = self._clock.monotonic()
        if now - self._noted < NOTE_SECS:
            return
        self._noted = now
        tally = self._tally
        if tally.text_bytes:
            self._asking.note(f"{tally.text_bytes:,} bytes so far")
        else:
            self._asking.note(f"thinking, {tally.reasoning_bytes:,} bytes so far")
