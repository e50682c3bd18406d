"""What the gateway offers to clients of the Model Context Protocol, whichever way they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from busctl.core.principal import Principal
from busctl.ports.upstreams import Offering

Shape = Mapping[str, Any]
"""An object of the protocol, by its names there."""
Heard = Callable[[float | None, float | None, str | None], None]
"""Told how far a tool is: done, of how much, and a word; None for what it does not say."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `takes_links`: the revision of the protocol it speaks knows resource links."""

    principal: Principal
    session_id: str
    takes_links: bool = True


class Gateway(Protocol):
    """Answers one request each. Raises the named errors of the bus and of the tools."""

    async def tools(self) -> Sequence[Shape]: ...

    async def call(
        self, caller: Caller, name: str, arguments: Shape, *, meta: Shape, heard: Heard | None
    ) -> Shape:
        """A CallToolResult. What went wrong in the tool is one with `isError`. Cancelling cancels
        the call. Raises ToolNotFound and AccessDenied."""

    async def resources(self) -> Sequence[Shape]: ...

    async def templates(self) -> Sequence[Shape]: ...

    async def read(self, caller: Caller, uri: str) -> Shape:
        """A ReadResourceResult. Raises the outcomes of redeeming, and ResourceNotFound."""

    async def prompts(self) -> Sequence[Shape]: ...

    async def prompt(self, caller: Caller, name: str, arguments: Mapping[str, str]) -> Shape:
        """A GetPromptResult. Raises PromptNotFound."""

    async def complete(self, caller: Caller, ref: Shape, argument: Shape, context: Shape) -> Shape:
        """A CompleteResult. Raises as the two above."""

    def watch(self, changed: Callable[[Offering], None]) -> Callable[[], None]:
        """Have `changed` called when a list is another; the returned function ends that."""
