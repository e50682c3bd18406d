"""What has come of an answer so far, added up from its pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from busctl.core.providers.chat import CallPart, Message, Piece
from busctl.core.providers.profile import Profile
from busctl.core.text import printable

TOOL_CALLS = "tool_calls"
MOST_FOUND = 20
MOST_CHARS = 300
"""Metadata is small: so many results of a web search are named in it, and so much of each text."""
MOST_FIELDS = 50


class Tally:
    """One answer, over all its rounds. `finish` is the finish_reason of the round under way."""

    def __init__(
        self, profile: Profile, *, keep_reasoning: bool = False, searches: bool = False
    ) -> None:
        search = profile.web_search if searches else None
        self._echo = None if search is None else search.echo
        self._keeps = keep_reasoning
        self.finish: str | None = None
        self.begun = False
        """Whether anything of the answer has come in this round."""
        self.rounds = 1
        self.text_bytes = 0
        self.reasoning_bytes = 0
        self.reasoning: list[str] = []
        self.usage: dict[str, Any] = {}
        self.model: str | None = None
        self.id: str | None = None
        self.request_ids: list[str] = []
        self.found: list[dict[str, str]] = []
        self._calls: dict[int, CallPart] = {}
        self._text: list[str] = []
        self._thought: list[str] = []
        self._round_usage: Mapping[str, Any] = {}

    def add(self, piece: Piece) -> str:
        """The text of the answer that is in the piece."""
        self.begun = self.begun or bool(piece.text or piece.reasoning or piece.calls)
        self.finish = piece.finish or self.finish
        if piece.model and self.model is None:
            self.model = _text(piece.model)
        if piece.id and self.id is None:
            self.id = _text(piece.id)
        if piece.request_id and len(self.request_ids) < MOST_FOUND:
            self._named(_text(piece.request_id))
        if piece.usage:
            self._round_usage = piece.usage
        for each in piece.found:
            self._find(each)
        for part in piece.calls:
            self._call(part)
        if piece.reasoning:
            self._reason(piece.reasoning)
        self.text_bytes += len(piece.text.encode("utf-8", "surrogatepass"))
        if piece.text and self._echo is not None:
            self._text.append(piece.text)
        return piece.text

    def again(self) -> None:
        """The round begins anew: nothing of it has come."""
        self._calls.clear()
        self._round_usage, self.finish, self.begun = {}, None, False

    def settle(self) -> None:
        """The round has ended: its usage is part of the sum."""
        self.usage = _sum(self.usage, self._round_usage)
        self._round_usage = {}

    @property
    def calls(self) -> Sequence[CallPart]:
        """The tool calls of this round, whole once it has ended."""
        return [self._calls[place] for place in sorted(self._calls)]

    def echoes(self) -> list[Message]:
        """The messages that go on with the answer: the calls, and their arguments given back as
        they are. Empty when there is nothing to go on with; begins the next round."""
        calls = self.calls
        if not calls or any(one.name != self._echo for one in calls):
            return []
        said: dict[str, Any] = {"role": "assistant", "content": "".join(self._text)}
        if self._thought:
            said["reasoning_content"] = "".join(self._thought)
        said["tool_calls"] = [
            {"id": one.id, "type": one.kind or "function",
             "function": {"name": one.name, "arguments": one.arguments}} for one in calls
        ]  # fmt: skip
        back = [
            {"role": "tool", "tool_call_id": one.id, "name": one.name, "content": one.arguments}
            for one in calls
        ]
        self._text.clear()
        self._thought.clear()
        self.rounds += 1
        self.again()
        return [said, *back]

    def _named(self, request_id: str) -> None:
        if request_id not in self.request_ids:
            self.request_ids.append(request_id)

    def _reason(self, text: str) -> None:
        self.reasoning_bytes += len(text.encode("utf-8", "surrogatepass"))
        if self._keeps:
            self.reasoning.append(text)
        if self._echo is not None:
            self._thought.append(text)

    def _call(self, part: CallPart) -> None:
        known = self._calls.get(part.place)
        self._calls[part.place] = part if known is None else replace(
            known, id=known.id or part.id, kind=known.kind or part.kind,
            name=known.name or part.name, arguments=known.arguments + part.arguments,
        )  # fmt: skip

    def _find(self, one: Any) -> None:
        if isinstance(one, Mapping) and len(self.found) < MOST_FOUND:
            told = {name: one[name] for name in ("title", "link") if isinstance(one.get(name), str)}
            self.found.append({name: _text(text) for name, text in told.items()})


def _text(said: str) -> str:
    """As metadata takes it: short, without NUL and half characters."""
    return printable(said[:MOST_CHARS])


def _sum(left: Mapping[str, Any], right: Mapping[str, Any], deep: int = 2) -> dict[str, Any]:
    """Whole numbers added, objects field by field; what else there is, is no count."""
    total = dict(left)
    for name, value in list(right.items())[:MOST_FIELDS]:
        known = total.get(name)
        if isinstance(value, Mapping) and deep:
            total[_text(name)] = _sum(known if isinstance(known, Mapping) else {}, value, deep - 1)
        elif isinstance(value, int):
            total[_text(name)] = value + (known if isinstance(known, int) else 0)
    return total
