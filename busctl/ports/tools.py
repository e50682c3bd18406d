"""Tools, and what they answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from busctl.core.principal import Principal
from busctl.core.tools.bounds import NONE
from busctl.core.tools.bounds import Bounds as Bounds


@dataclass(frozen=True, slots=True)
class ToolInfo:
    """One tool as listed. `input_schema` is JSON Schema; `provider` names where it came from. Not
    `kept`: it tells of messages that are kept already, and what it answers is kept nowhere.

    `extra` is what else a server of the Model Context Protocol says of it, by its names there
    (title, annotations, outputSchema, icons, _meta).
    """

    name: str
    description: str
    input_schema: Mapping[str, Any]
    provider: str
    bounds: Bounds = NONE
    extra: Mapping[str, Any] = field(default_factory=dict)
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool: what is asked, by whom, and under which id its answer will be stored.

    `note` takes a word on how it goes, `advance` how far it is: done, and of how much if that is
    known. Both may be called in the event loop's thread only. `meta` is what the client sent beside
    the arguments (`_meta` of the Model Context Protocol).
    """

    name: str
    arguments: Mapping[str, Any]
    principal: Principal
    session_id: str
    request_id: str
    transaction_id: UUID
    note: Callable[[str], None]
    advance: Callable[[float, float | None], None]
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answered, as bytes: exactly one of `payload` and `pieces` is set.

    `declared_size` (bytes) is what the tool said its answer has, if it said so. `is_error`: the
    tool itself calls it an error; it is stored as a message of that type, whole. `metadata` is kept
    with the message; of an answer in pieces it is read when they have ended, so that a tool may
    fill it as it goes. Pieces that end in AnswerCut are kept as an error, with what came of them.
    """

    payload: bytes | None
    pieces: AsyncIterator[bytes] | None
    content_type: str
    declared_size: int | None = None
    is_error: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.payload is None) == (self.pieces is None):
            raise ValueError("An answer is either one payload or pieces of one.")


class ToolHost(Protocol):
    """Finds tools and runs one call of one."""

    def list_tools(self) -> Sequence[ToolInfo]: ...

    async def call(self, call: Call) -> Answer:
        """Run a tool. Cancelling stops it where that can be done. Raises ToolNotFound,
        InvalidArguments and, for any other exception of the tool (from `pieces` too), ToolFailed.
        """
