"""A conversation with a model, as it is sent again with each turn: what fits, and what is left out.

What was said lies on the bus as messages; here is only their order and how much of it there is room
for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from busctl.core.errors import InvalidArguments
from busctl.core.files.plan import tokens_of

CONVERSATION = "conversation"
"""The metadata field that says which turn of which conversation a message is."""
LONGEST_ID = 256
OVERHEAD_TOKENS = 8
"""What a message costs beside its text."""

_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]+")


class Role(StrEnum):
    FILE = "file"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a turn: who said it, where it lies, and the manifest entry of a file."""

    turn: int
    role: Role
    transaction_id: UUID
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """A part with its text."""

    part: Part
    text: str


@dataclass(frozen=True, slots=True)
class FileText:
    """The text of a file as a model gets it."""

    name: str
    text: str
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a model, in the words of its API: system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Left:
    """What was not sent again, and why: a turn, or a file of one."""

    turn: int
    why: str
    file: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The shape in metadata."""
        shape: dict[str, Any] = {"turn": self.turn, "why": self.why}
        return shape if self.file is None else {**shape, "file": self.file}


@dataclass(frozen=True, slots=True)
class Fitted:
    """Files and turns that are sent before the prompt, in their order, and what is not. `files` are
    the numbers of the files that are, from 0 on."""

    messages: Sequence[Message] = ()
    left_out: Sequence[Left] = ()
    files: Sequence[int] = ()


def checked_id(value: object) -> str:
    """The name of a conversation. Raises InvalidArguments."""
    if isinstance(value, str) and len(value) <= LONGEST_ID and _ID.fullmatch(value):
        return value
    raise InvalidArguments(
        f"A conversation_id is a text of 1 to {LONGEST_ID} characters without control characters."
    )


def as_message(file: FileText) -> Message:
    """How the text of a file is told to a model: a system message of its own, as Kimi's and GLM's
    documents have it, with the name by which people speak of it."""
    name = " ".join(file.name.split())  # a name may hold line breaks, and pass for instructions
    return Message("system", f"The file {name}, given by the user, reads:\n\n{file.text}")


def cost(message: Message) -> int:
    """About how many tokens a message takes."""
    return tokens_of(message.content) + OVERHEAD_TOKENS


def fit(files: Sequence[FileText], turns: Sequence[Said], room: int) -> Fitted:
    """What of a conversation fits into `room` tokens. Files come first, the latest before older
    ones; then whole turns, the latest first, up to the first one that does not fit: a conversation
    without its middle would say what nobody said."""
    kept: dict[int, Message] = {}
    left: list[Left] = []
    for place, file in reversed(list(enumerate(files))):
        message = as_message(file)
        if cost(message) <= room:
            room -= cost(message)
            kept[place] = message
        else:
            left.append(Left(file.turn or 0, "no room in the model's context", file.name))
    spoken, dropped = _turns(turns, room)
    messages = [kept[place] for place in sorted(kept)] + spoken
    order = sorted([*left, *dropped], key=lambda one: (one.turn, one.file or ""))
    return Fitted(messages, order, sorted(kept))


def _turns(turns: Sequence[Said], room: int) -> tuple[list[Message], list[Left]]:
    by_turn: dict[int, list[Message]] = {}
    for said in turns:
        role = said.part.role.value
        by_turn.setdefault(said.part.turn, []).append(Message(role, said.text))
    kept: list[Message] = []
    numbers = sorted(by_turn, reverse=True)
    for place, number in enumerate(numbers):
        needed = sum(cost(message) for message in by_turn[number])
        if needed > room:
            why = "no room in the model's context"
            return kept, [Left(one, why) for one in numbers[place:]]
        room -= needed
        kept = by_turn[number] + kept
    return kept, []


# --- a model that asks for what it was given ------------------------------------------------------

ASKED = "asked_for_given_file"
"""The kind of the suspicion, and the metadata field that names the files."""
LOOKED_AT_CHARS = 4000
"""How much of the beginning and of the end of an answer is looked at."""

_THING = r"(?:files?|documents?|attachments?|pdfs?|uploads?|spreadsheets?|{names})\b"
_BETWEEN = (
    r"(?:(?:any|the|your|that|this|those|these|an?|attached|uploaded|actual|contents?|text|of|"
    r"access|to|full|it|here|in)\s+|['\"`*])*"
)
_ASKS = (
    r"\b(?:please|could you|can you|would you|kindly|you(?:'ll)? need to)\b[^.!?\n]{{0,40}}"
    r"\b(?:upload|attach|provide|share|send|paste|include|re-?upload)\s+" + _BETWEEN + _THING,
    r"\b(?:can(?:no|')t|cannot|am unable to|'m unable to|was unable to|couldn't|could not|"
    r"don't|do not|didn't|did not|haven't|have not)\s+(?:actually\s+|directly\s+|currently\s+)?"
    r"(?:see|access|open|read|view|find|locate|have|receive|received)\s+" + _BETWEEN + _THING,
    r"\b(?:no|without an?y?)\s+" + _BETWEEN + _THING + r"\s+(?:has been|have been|was|were|is|are)?"
    r"\s*(?:attached|uploaded|provided|received|shared|included)",
    r"请[^。！？\n]{{0,12}}(?:上传|提供|发送|附上|粘贴|分享)[^。！？\n]{{0,20}}(?:文件|文档|附件|{names})",
    r"(?:无法|不能|没有|未能|没)(?:直接)?(?:访问|查看|打开|读取|看到|收到|找到)[^。！？\n]{{0,20}}"
    r"(?:文件|文档|附件|{names})",
)  # fmt: skip


def asked_for(answer: str, names: Iterable[str]) -> list[str]:
    """Those of the files, given to the model, that its answer asks for as if it had not got them.

    A guess by how such answers are worded. One that names no file is taken to ask for all of them.
    """
    given = list(dict.fromkeys(names))
    if not given:
        return []
    looked_at = answer
    if len(answer) > 2 * LOOKED_AT_CHARS:
        looked_at = f"{answer[:LOOKED_AT_CHARS]}\n{answer[-LOOKED_AT_CHARS:]}"
    words = "|".join(re.escape(name) for name in given)
    found = [
        match[0]
        for pattern in _ASKS
        for match in re.finditer(pattern.format(names=words), looked_at, re.IGNORECASE)
    ]
    if not found:
        return []
    named = [name for name in given if any(name.lower() in each.lower() for each in found)]
    return named or given
