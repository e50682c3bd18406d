"""The end of a turn: what was asked and answered becomes part of the conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from busctl.core.envelope import INCOMPLETE, Labels
from busctl.core.errors import BusctlError
from busctl.core.hops import Hop
from busctl.core.providers.conversation import ASKED, CONVERSATION, LOOKED_AT_CHARS, Role, asked_for
from busctl.core.watching.truncation import TRUNCATION
from busctl.ops.bus import Bus
from busctl.ops.files.ingesting import TEXT, Ingested
from busctl.ops.files.turns import Turn
from busctl.ports import Call, Meter, Spoken

TOOL = "busctl.conversation"
"""The tool name under which prompts are kept: they are no answers of the chat tool."""

log = logging.getLogger("busctl.files")


class Listening:
    """Hears an answer, and flags one that asks for files that the model was given: `names`."""

    def __init__(self, bus: Bus, meter: Meter, call: Call, names: Sequence[str]) -> None:
        self._bus = bus
        self._meter = meter
        self._call = call
        self._names = names
        self._head, self._tail = "", ""
        self.size = 0

    def heard(self, text: str) -> None:
        """A piece of the answer's text."""
        self.size += len(text.encode("utf-8", "replace"))
        room = LOOKED_AT_CHARS - len(self._head)
        self._head += text[:room] if room > 0 else ""
        self._tail = (self._tail + (text[room:] if room > 0 else text))[-LOOKED_AT_CHARS:]

    async def ended(self, metadata: dict[str, Any], whole: bool) -> None:
        """The answer is over."""
        if whole:
            self.judge(metadata)

    def judge(self, metadata: dict[str, Any]) -> list[str]:
        """The names of the files that it asks for; told in the metadata, and noted as the
        suspicion that the model has not seen them."""
        names = asked_for(f"{self._head}\n{self._tail}", self._names)
        if names:
            metadata[ASKED] = names
            self._meter.truncation_suspected(ASKED)
            found = {"kind": ASKED, "files": names}
            self._bus.remark(self._call.transaction_id, TRUNCATION, Hop.TOOL, found)
            log.warning(
                "the model asks for a file it was given",
                extra={"transaction_id": str(self._call.transaction_id), "files": names},
            )
        return names


class Speaking:
    """Adds a turn when its answer has ended. `files` are those that are new in the conversation."""

    def __init__(
        self, bus: Bus, turn: Turn, call: Call, provider: str, prompt: str,
        files: Sequence[Ingested], listening: Listening,
    ) -> None:  # fmt: skip
        self._bus = bus
        self._turn = turn
        self._call = call
        self._provider = provider
        self._prompt = prompt
        self._files = files
        self._listening = listening

    async def ended(self, metadata: dict[str, Any], whole: bool) -> None:
        """The answer is over. One that broke off adds nothing: the next turn goes on from the last
        one that was answered."""
        if not (whole or INCOMPLETE in metadata):
            await asyncio.shield(self._turn.free())
            return
        detail: dict[str, Any] = {"bytes": self._listening.size}
        if not whole:
            detail[INCOMPLETE] = metadata[INCOMPLETE]
        if names := self._listening.judge(metadata):
            detail[ASKED] = names
        try:
            added = await self._add(detail)
        except BusctlError as error:
            # The answer is what was asked for; that the conversation does not know it is said.
            log.warning("turn not added", extra={"error": error.message})
            metadata[CONVERSATION] = {**metadata[CONVERSATION], "not_kept": error.message}
            await self._turn.free()
            return
        if not added:
            why = "another turn was answered meanwhile"
            metadata[CONVERSATION] = {**metadata[CONVERSATION], "not_kept": why}

    async def _add(self, detail: dict[str, Any]) -> bool:
        call, thread = self._call, self._turn.thread
        turn = {"id": thread.conversation_id, "turn": self._turn.number, "role": "user"}
        labels = Labels(
            content_type=TEXT, tool_name=TOOL, session_id=call.session_id,
            owner=thread.owner, request_id=call.request_id, metadata={CONVERSATION: turn},
        )  # fmt: skip
        prompt = await self._bus.put(self._prompt.encode(), labels)
        size = {"bytes": prompt.payload_size_bytes}
        spoken = [
            Spoken(Role.FILE, one.entry.text_id, {"file": one.entry.as_json()})
            for one in self._files
            if one.entry.text_id is not None
        ]
        spoken.append(Spoken(Role.USER, prompt.transaction_id, size))
        spoken.append(Spoken(Role.ASSISTANT, call.transaction_id, detail))
        return await self._turn.add(spoken, self._provider)
