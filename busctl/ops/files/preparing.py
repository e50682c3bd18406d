"""What a model is given before a prompt: the texts of files, and the conversation so far."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from busctl.core.errors import ContextExceeded, FileRefused
from busctl.core.files.manifest import (
    MANIFEST,
    Done,
    Entry,
    Reason,
    manifest_json,
    name_of,
    refused,
)
from busctl.core.files.plan import FileTerms, over_context
from busctl.core.providers.account import Account
from busctl.core.providers.chat import ChatRequest
from busctl.core.providers.conversation import (
    CONVERSATION,
    FileText,
    Fitted,
    Message,
    as_message,
    checked_id,
    cost,
    fit,
)
from busctl.core.refusals import together
from busctl.ops.bus import Bus
from busctl.ops.files.history import History, Recalled
from busctl.ops.files.ingesting import Ingested, Ingestion, Target
from busctl.ops.files.speaking import Listening, Speaking
from busctl.ops.files.together import side_by_side
from busctl.ops.files.turns import Turn
from busctl.ports import Call, Conversations, FileHost, Meter, Prepared, Thread

AT_A_TIME = 4
"""How many files of one call are ingested at once."""
MOST_FILES = 50
ANSWER_SHARE = 4
"""The answer is left this part of the model's context, where max_tokens does not say."""
OPTIONAL = 'Or say "files_optional": true to go on without what is refused.'

log = logging.getLogger("busctl.files")


@dataclass(slots=True)
class Given:
    """The files of one call: their texts, and the manifest's lines in the order of the call."""

    texts: list[FileText] = field(default_factory=list)
    ingested: list[Ingested] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    room: int = 0


class Preparation:
    """Implements `busctl.ports.Preparing`. `hosts` are the files of accounts by their profiles'
    names, `daemon` is its own name in the store's leases."""

    def __init__(
        self, bus: Bus, ingestion: Ingestion, conversations: Conversations,
        hosts: Mapping[str, FileHost], meter: Meter, daemon: str,
    ) -> None:  # fmt: skip
        self._bus = bus
        self._ingestion = ingestion
        self._conversations = conversations
        self._hosts = hosts
        self._meter = meter
        self._daemon = daemon

    async def prepare(self, request: ChatRequest, account: Account, call: Call) -> Prepared:
        """Raises FileRefused, ContextExceeded, ConversationBusy and the store's errors."""
        if not request.files and request.conversation_id is None:
            return Prepared(_around(request, []))  # how long it may be, the provider says
        room = room_of(request, account)
        target = Target(
            FileTerms.of(account.profile), self._hosts.get(account.profile.name),
            call.principal.name, room,
        )  # fmt: skip
        if request.conversation_id is None:
            given = await self._given(request, target, call)
            messages = [as_message(file) for file in given.texts]
            listening = self._listening(call, given.ingested, ())
            return Prepared(
                _around(request, messages), _metadata(given.entries), listening.heard,
                listening.ended,
            )  # fmt: skip
        thread = Thread(call.principal.name, checked_id(request.conversation_id))
        holder = f"{self._daemon}:{call.transaction_id.hex}"
        turn = await Turn.taken(self._bus, self._conversations, thread, holder)
        try:
            return await self._continued(request, account, call, target, turn)
        except BaseException:
            await asyncio.shield(turn.free())
            raise

    async def _continued(
        self, request: ChatRequest, account: Account, call: Call, target: Target, turn: Turn
    ) -> Prepared:
        given = await self._given(request, target, call)
        history = History(self._bus, self._conversations, self._ingestion)
        recalled = await history.recall(turn, target, given.entries, given.room)
        names = [entry.name for entry in [*given.entries, *recalled.entries]]
        files = [
            replace(file, name=_told(entry, names))
            for file, entry in zip(recalled.files, recalled.entries, strict=True)
        ]
        fitted = fit(files, recalled.said, given.room)
        sent = len(fitted.files)
        messages = [*fitted.messages[:sent], *map(as_message, given.texts)]
        messages += fitted.messages[sent:]
        listening = self._listening(call, given.ingested, [files[one] for one in fitted.files])
        speaking = Speaking(
            self._bus, turn, call, account.profile.name, request.prompt,
            [*recalled.anew, *given.ingested], listening,
        )  # fmt: skip
        metadata = _metadata([*given.entries, *_sent(recalled.entries, fitted)])
        metadata[CONVERSATION] = _turn_json(turn, fitted, recalled)
        return Prepared(
            _around(request, messages), metadata, heard=listening.heard, ended=speaking.ended
        )

    def _listening(
        self, call: Call, given: Sequence[Ingested], recalled: Sequence[FileText]
    ) -> Listening:
        names = [*(one.entry.name for one in given), *(file.name for file in recalled)]
        return Listening(self._bus, self._meter, call, names)

    async def _given(self, request: ChatRequest, target: Target, call: Call) -> Given:
        """All files of the call, in its order. Raises FileRefused unless they are optional."""
        paths = list(dict.fromkeys(request.files))
        if len(paths) > MOST_FILES:
            raise FileRefused(
                f"The call names {len(paths)} files; {MOST_FILES} are taken.",
                reason=Reason.TOO_MANY, remedy="Name fewer at a time.",
            )  # fmt: skip

        async def one(path: str) -> Ingested | FileRefused:
            call.note(f"reading {name_of(path)[:100]}")
            try:
                return await self._ingestion.ingest(path, target)
            except FileRefused as error:
                return error  # told together with the others

        found = await side_by_side(one, paths, AT_A_TIME)
        given = _fitting(paths, found, target.room)
        if given.refusals and not request.files_optional:
            raise together(given.refusals, OPTIONAL)
        return given.given


@dataclass(slots=True)
class _Fitting:
    given: Given
    refusals: list[FileRefused]


def _fitting(paths: Sequence[str], found: Sequence[Ingested | FileRefused], room: int) -> _Fitting:
    """Those for which there is room, in their order; the others are refused."""
    given, refusals = Given(room=room), []
    names = [name_of(path) for path in paths]
    for path, one in zip(paths, found, strict=True):
        if isinstance(one, Ingested):
            text = FileText(_told(one.entry, names), one.text)
            needed = cost(as_message(text))
            if needed <= given.room:
                given.room -= needed
                given.texts.append(text)
                given.ingested.append(one)
                given.entries.append(one.entry)
                continue
            plan = over_context(len(one.text.encode()), given.room)
            why = f"The file {path!r} is not used: {plan.why}."
            error = FileRefused(why, reason=Reason.CONTEXT, remedy=plan.remedy)
            entry = refused(path, error.reason, plan.why, one.entry.size, one.entry.sha256)
        else:
            error, entry = one, refused(path, one.reason, one.message)
        refusals.append(error)
        given.entries.append(entry)
        note = FileText(entry.name, f"(This file could not be given: {entry.why})")
        given.texts.append(note)
        given.room -= cost(as_message(note))
    return _Fitting(given, refusals)


def _told(entry: Entry, names: Sequence[str]) -> str:
    """The name by which people speak of a file; its path where another one is called the same."""
    return entry.name if names.count(entry.name) <= 1 else entry.path


def room_of(request: ChatRequest, account: Account) -> int:
    """Tokens for files and earlier turns: the model's context without the answer, the prompt and
    the instructions. Raises ContextExceeded when these alone are too much."""
    model = request.model_of(account.profile)
    context = account.profile.context_tokens(model)
    answer = request.max_tokens or context // ANSWER_SHARE
    asked = [Message("user", request.prompt), Message("system", request.system or "")]
    room = context - answer - sum(map(cost, asked))
    if room < 0:
        raise ContextExceeded(
            f"The prompt is over what {model} has room for: {context:,} tokens, {answer:,} of them "
            "for its answer."
        )
    return room


def _around(request: ChatRequest, messages: Sequence[Message]) -> list[dict[str, str]]:
    """The messages between the instructions and the prompt."""
    system = [Message("system", request.system)] if request.system else []
    whole = [*system, *messages, Message("user", request.prompt)]
    return [{"role": one.role, "content": one.content} for one in whole]


def _sent(entries: Sequence[Entry], fitted: Fitted) -> list[Entry]:
    """The lines of earlier files; one without room is not used this time."""
    no_room = "no room in the model's context"
    return [
        entry
        if number in fitted.files
        else replace(entry, done=Done.REFUSED, reason=Reason.CONTEXT, why=no_room)
        for number, entry in enumerate(entries)
    ]


def _metadata(entries: Sequence[Entry]) -> dict[str, Any]:
    return {MANIFEST: manifest_json(entries)} if entries else {}


def _turn_json(turn: Turn, fitted: Fitted, recalled: Recalled) -> dict[str, Any]:
    left = sorted([*fitted.left_out, *recalled.left_out], key=lambda one: one.turn)
    shape: dict[str, Any] = {
        "id": turn.thread.conversation_id, "turn": turn.number, "role": "assistant",
    }  # fmt: skip
    return {**shape, "left_out": [one.as_json() for one in left]} if left else shape
