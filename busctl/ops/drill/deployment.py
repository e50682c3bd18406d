"""What a drill plays on, as Protocols: a deployment whose every part can be made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol
from uuid import UUID

from busctl.core.envelope import ClaimCheck
from busctl.core.operating.drill import Kept
from busctl.core.replies import CallResult

When = Literal["before", "half", "answered"]
Side = Literal["client", "server"]


@dataclass(frozen=True)
class Shape:
    """How the deployment is built: `settings` of the daemon over the common ones; `pooler` puts
    pgbouncer before PostgreSQL; `disk` gives PostgreSQL a disk that can be filled."""

    settings: Mapping[str, str] = field(default_factory=dict)
    pooler: bool = False
    disk: bool = False


PLAIN = Shape()


class Line(Protocol):
    """One connection through a proxy; `backend_pid` is the server process that answers it."""

    backend_pid: int

    def abort(self) -> None:
        """Cut both sides of it."""


class Armed(Protocol):
    """A trap that waits for its message."""

    @property
    def fired(self) -> asyncio.Event: ...


class Proxy(Protocol):
    """A line that fails on demand; `flipped` counts the bits it has flipped."""

    flipped: int

    def heal(self) -> None: ...
    def drop(self) -> None: ...
    def cut(self) -> None: ...
    def stall(self) -> None: ...
    def half_open(self) -> None: ...
    def flip(self, side: Side, share: float) -> None: ...
    def arm(
        self, statement: str, when: When, action: Callable[[Any], Awaitable[None]], skip: int = 0
    ) -> Armed: ...


class Client(Protocol):
    """The part of BusClient that callers use."""

    async def call(
        self, tool: str, arguments: Mapping[str, Any] | None = None, *,
        request_id: str | None = None,
    ) -> CallResult: ...  # fmt: skip
    async def call_claim(
        self, tool: str, arguments: Mapping[str, Any] | None = None, *,
        request_id: str | None = None,
    ) -> ClaimCheck: ...  # fmt: skip
    async def fetch(self, transaction_id: UUID) -> bytes: ...


class Deployment(Protocol):
    """A daemon, its PostgreSQL, and a proxy before each: `store_line` from the daemon to the
    server, `client_line` from clients to the daemon."""

    @property
    def store_line(self) -> Proxy: ...
    @property
    def client_line(self) -> Proxy: ...
    @property
    def inline_max_bytes(self) -> int: ...

    def client(self, session_id: str, *, claims: bool) -> AbstractAsyncContextManager[Client]: ...

    async def kill_postgres(self) -> None: ...
    async def start_postgres(self) -> None: ...
    async def kill_daemon(self) -> None: ...
    async def start_daemon(self) -> None: ...
    async def kill_pooler(self) -> None: ...
    async def start_pooler(self) -> None: ...
    async def end_session(self, pid: int) -> None: ...
    async def read_only(self, wanted: bool) -> None: ...
    async def take_slots(self) -> int: ...
    async def free_slots(self) -> None: ...
    async def fill_disk(self) -> str:
        """Fill it; says how."""

    async def empty_disk(self) -> None: ...

    async def put_as_if(
        self, payload: bytes, skew: timedelta, session_id: str, name: str, *, told: bool
    ) -> UUID:
        """Store by the library under request id `name`, as a process whose clock is off by `skew`
        would; `told`: as one whose clock is right and that is given such an id. Raises as
        Bus.put."""

    async def waiting(self) -> Collection[UUID]:
        """What is in the spool."""

    async def aside(self) -> int:
        """How many files the spool has set aside."""

    async def went_straight(self, transaction_id: UUID) -> bool:
        """Whether the store has it, and it has never been in the spool."""

    async def kept(self, sessions: Sequence[str]) -> Sequence[Kept]:
        """Every answer of those sessions in the store, read back."""
