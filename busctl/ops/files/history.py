"""What was said in a conversation so far, read back from the bus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from busctl.core.breaker import AWAY
from busctl.core.errors import ClaimError, FileRefused, MessageMissing
from busctl.core.files.manifest import Done, Entry
from busctl.core.files.plan import BYTES_A_TOKEN
from busctl.core.providers.conversation import FileText, Left, Part, Role, Said
from busctl.ops.bus import Bus
from busctl.ops.files.ingesting import Ingested, Ingestion, Target
from busctl.ops.files.together import side_by_side
from busctl.ops.files.turns import Turn
from busctl.ports import Conversations

AT_A_TIME = 8
"""How many messages are read at once."""
LOOKS, LOOK_SECS = 25, 0.2
"""How often, and how long apart, the last answer is looked for that is just being stored."""

log = logging.getLogger("busctl.files")


@dataclass(slots=True)
class Recalled:
    """Files and turns with their texts, files that were ingested anew because the provider is
    another, lines of the manifest for all files, and what could not be had."""

    files: list[FileText] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    anew: list[Ingested] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    left_out: list[Left] = field(default_factory=list)


class History:
    """Reads conversations."""

    def __init__(self, bus: Bus, conversations: Conversations, ingestion: Ingestion) -> None:
        self._bus = bus
        self._conversations = conversations
        self._ingestion = ingestion

    async def recall(
        self, turn: Turn, target: Target, given: Sequence[Entry], room: int
    ) -> Recalled:
        """What there is for a model with `room` tokens; files that are `given` anew are not
        repeated."""
        store = self._bus.store
        # Before anything is read: what a turn goes on from must not expire one by one.
        prolong = self._conversations.prolong(turn.thread, self._bus.settings.ttl)
        await store.guarded(prolong, store.writes)
        parts = await store.guarded(self._conversations.parts(turn.thread), store.reads)
        recalled = Recalled()
        for part in _latest_files(parts, given):
            await self._recall_file(part, target, recalled)
        spoken = [part for part in parts if part.role is not Role.FILE]
        near = _near(spoken, room)
        recalled.left_out += [
            Left(number, "no room in the model's context")
            for number in sorted({part.turn for part in spoken} - {part.turn for part in near})
        ]
        await self._recall_turns(near, turn.floor.turns, recalled)
        return recalled

    async def _recall_file(self, part: Part, target: Target, recalled: Recalled) -> None:
        entry = _entry(part)
        why = None
        if entry.provider not in (None, target.terms.provider):
            try:
                anew = await self._ingestion.ingest(entry.path, target, sha256=entry.sha256)
            except FileRefused as error:
                why = f"the text that {entry.provider} took out of it is sent: {error.message}"
            else:
                recalled.anew.append(anew)
                recalled.entries.append(anew.entry)
                recalled.files.append(FileText(entry.name, anew.text, part.turn))
                return
        text = await self._text(part.transaction_id)
        if text is None:
            recalled.left_out.append(Left(part.turn, "its text is on the bus no more", entry.name))
            return
        recalled.files.append(FileText(entry.name, text, part.turn))
        recalled.entries.append(replace(entry, done=Done.KEPT, why=why))

    async def _recall_turns(self, parts: Sequence[Part], last: int, recalled: Recalled) -> None:
        async def read(part: Part) -> str | None:
            return await self._patiently(part, last)

        texts = await side_by_side(read, parts, AT_A_TIME)
        gone = {part.turn for part, text in zip(parts, texts, strict=True) if text is None}
        recalled.left_out += [Left(one, "it is on the bus no more") for one in sorted(gone)]
        recalled.said += [
            Said(part, text)
            for part, text in zip(parts, texts, strict=True)
            if text is not None and part.turn not in gone
        ]

    async def _patiently(self, part: Part, last: int) -> str | None:
        """The last answer may just be on its way into the store."""
        looks = LOOKS if part.turn == last and part.role is Role.ASSISTANT else 1
        for left in reversed(range(looks)):
            text = await self._text(part.transaction_id, quietly=bool(left))
            if text is not None or not left:
                return text
            await asyncio.sleep(LOOK_SECS)
        return None

    async def _text(self, transaction_id: UUID, *, quietly: bool = False) -> str | None:
        try:
            return (await self._bus.get(transaction_id)).decode()
        except AWAY:
            raise  # nothing is known of it: the call fails
        except MessageMissing as error:
            if not quietly:
                log.warning("a message of a conversation is missing", extra={"error": str(error)})
            return None
        except ClaimError as error:
            # What was left out is told with the answer.
            log.warning("a message of a conversation is gone", extra={"error": error.message})
            return None


def _latest_files(parts: Sequence[Part], given: Iterable[Entry]) -> list[Part]:
    """Each file once, as it was given last; none that is given again now, by content or by path."""
    known = {entry.sha256 for entry in given} | {entry.path for entry in given}
    latest: dict[str, Part] = {}
    for part in parts:
        if part.role is Role.FILE:
            entry = _entry(part)
            latest.pop(entry.path, None)
            if entry.path not in known and entry.sha256 not in known:
                latest[entry.path] = part
    return list(latest.values())


def _near(parts: Sequence[Part], room: int) -> list[Part]:
    """The latest turns that may fit, by their sizes: what surely does not is not read."""
    most = room * BYTES_A_TOKEN
    for number in sorted({part.turn for part in parts}, reverse=True):
        most -= sum(int(part.detail.get("bytes", 0)) for part in parts if part.turn == number)
        if most < 0:
            return [part for part in parts if part.turn > number]
    return list(parts)


def _entry(part: Part) -> Entry:
    return Entry.of_json(part.detail.get("file", {}))
