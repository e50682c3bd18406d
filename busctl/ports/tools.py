"""Tools, and what they answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ToolInfo:
    """One tool as listed. `input_schema` is JSON Schema; `provider` names where it came from."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    provider: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answered, as bytes: exactly one of `payload` and `pieces` is set.

    `declared_size` (bytes) is what the tool said its answer has, if it said so.
    """

    payload: bytes | None
    pieces: AsyncIterator[bytes] | None
    content_type: str
    declared_size: int | None = None

    def __post_init__(self) -> None:
        if (self.payload is None) == (self.pieces is None):
            raise ValueError("An answer is either one payload or pieces of one.")


class ToolHost(Protocol):
    """Finds tools and runs one call of one."""

    def list_tools(self) -> Sequence[ToolInfo]: ...

    async def call(
        self, name: str, arguments: Mapping[str, Any], note: Callable[[str], None]
    ) -> Answer:
        """Run a tool; `note` tells how it goes. Raises ToolNotFound, InvalidArguments and, for any
        other exception of the tool (from `pieces` too), ToolFailed."""
