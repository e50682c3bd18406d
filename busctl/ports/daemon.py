"""The daemon's surroundings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from busctl.core.envelope import ClaimCheck
from busctl.core.operating.flow import Load
from busctl.core.principal import Principal, Scope
from busctl.core.token import Token


class Socket(Protocol):
    """One WebSocket connection, accepted. Sending waits for the peer to take what was sent before
    and raises PeerGone once it has left."""

    async def receive(self) -> str | bytes:
        """The next message: str from a text frame, bytes from a binary one. Raises PeerGone."""

    async def send_text(self, message: str) -> None: ...
    async def send_bytes(self, message: bytes) -> None: ...
    async def close(self, code: int, reason: str) -> None:
        """Close it; does nothing when it is closed already."""


class TokenGuard(Protocol):
    """Knows the tokens that clients may show, and whose they are."""

    async def identify(self, shown: str) -> Principal | None:
        """Whose token it is, compared in constant time; None for nobody's. Raises the store's
        errors when it cannot be told now."""

    async def holds(self, principal: Principal) -> bool:
        """Whether the token by which it was known is good still, as far as can be told now."""

    async def rotate(self, old: str, new: str) -> None:
        """Put `new` in place of `old`. Raises Unauthorized and ConfigurationError."""


class Tokens(Protocol):
    """Keeps the tokens beside the daemon's own one, as digests. Raises the store's errors."""

    async def add(
        self, token_id: str, digest: bytes, principal: Principal, ttl: timedelta | None
    ) -> Token: ...

    async def find(self, token_id: str) -> tuple[Token, bytes] | None:
        """A token and its digest, whatever its state."""

    async def used(self, token_id: str) -> None:
        """Note that it was used now."""

    async def list(self) -> Sequence[Token]:
        """All of them, the oldest first."""

    async def revoke(self, token_id: str) -> Token | None:
        """None when there is none of this id. Revoking again changes nothing."""


class Meter(Protocol):
    """Counts what the daemon does. Sizes in bytes, times in seconds."""

    def stored(self, size_bytes: int, seconds: float) -> None: ...
    def took(self, stored_bytes: int) -> None:
        """The store took a message: its size there, compressed."""

    def verified(self, ok: bool, seconds: float) -> None: ...
    def fetched(self, via: str, size_bytes: int, seconds: float) -> None: ...
    def fetch_failed(self, via: str, code: str) -> None: ...
    def call_ended(self, tool: str, outcome: str, seconds: float) -> None: ...
    def inflight(self, count: int) -> None: ...
    def sessions(self, count: int) -> None: ...
    def upkeep(self, task: str, ok: bool) -> None: ...
    def hop_mismatch(self, hop: str) -> None: ...
    def truncation_suspected(self, kind: str) -> None: ...
    def breaker(self, side: str, state: str) -> None: ...
    def spool(self, messages: int, size_bytes: int, aside: int) -> None: ...
    def fell_back(self, reason: str, size_bytes: int) -> None: ...
    def reconciled(self, outcome: str) -> None: ...
    def refused(self, via: str, reason: str) -> None:
        """Somebody was turned away: at the door of the WebSocket, of HTTP or of the dashboard."""

    def load(self, load: Load, now: float) -> None:
        """What the store holds, at the Unix time `now`."""

    def pool(self, size: int, busy: int) -> None:
        """Connections to the store: allowed, and in use."""


class Readable(Protocol):
    """A message about to be read, as `Bus.open` and `Bus.open_stored` return it."""

    @property
    def claim(self) -> ClaimCheck: ...
    @property
    def start(self) -> int: ...
    @property
    def stop(self) -> int: ...
    @property
    def stored_checksum(self) -> bytes: ...
    @property
    def stored_size_bytes(self) -> int: ...
    @property
    def pieces(self) -> AsyncIterator[bytes]: ...


class Reading(Protocol):
    """The reading half of the bus; see `busctl.ops.bus.Bus`."""

    async def require(
        self, principal: Principal, scope: Scope, transaction_id: UUID | None = None
    ) -> None: ...
    async def open(
        self, transaction_id: UUID, *, offset: int = 0, length: int | None = None,
        principal: str | None = None,
    ) -> Readable: ...  # fmt: skip
    async def open_stored(
        self, transaction_id: UUID, *, principal: str | None = None
    ) -> Readable: ...
    def passed(self, transaction_id: UUID, kind: str, hop: str, detail: Mapping[str, Any]) -> None:
        """Note beside the way what a hop has seen of a payload."""
