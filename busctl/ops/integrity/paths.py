"""The paths a payload can take, each as one call: a case goes in, bytes come out."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from busctl.core.comparison import Case
from busctl.core.envelope import ClaimCheck, Labels
from busctl.core.errors import CallFailed
from busctl.core.replies import CallResult
from busctl.core.samples import CONTENT_TYPES, KEPT
from busctl.ops.bus import Bus
from busctl.ports import Clock

Result = TypeVar("Result")

TOOL = "generate"


@dataclass(frozen=True, slots=True)
class Sent:
    """What came back. Times in ms; `get_ms` is None where the answer came whole."""

    transaction_id: UUID
    payload: bytes
    put_ms: float
    get_ms: float | None
    note: str = ""


class Path(Protocol):
    """One way from the producer of a payload to its reader."""

    @property
    def name(self) -> str: ...

    async def send(self, case: Case, expected: bytes) -> Sent:
        """Send the case's payload and read it back. Raises the path's named errors."""


class Client(Protocol):
    """The part of BusClient that is tested."""

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallResult: ...
    async def call_claim(self, tool: str, arguments: Mapping[str, Any]) -> ClaimCheck: ...
    async def fetch(self, transaction_id: UUID) -> bytes: ...


class Redeemer(Protocol):
    """Redeems over HTTP, in one content coding."""

    async def get(self, transaction_id: UUID, coding: str) -> bytes: ...


class StorePath:
    """The library straight to the store."""

    name = "store"

    def __init__(
        self, bus: Bus, clock: Clock, *, tool_name: str = "test-integrity", ttl: timedelta = KEPT
    ) -> None:
        """What is stored has that `tool_name`, and goes after `ttl` if nobody removes it."""
        self._bus = bus
        self._clock = clock
        self._tool_name = tool_name
        self._ttl = ttl

    async def send(self, case: Case, expected: bytes) -> Sent:
        labels = Labels(content_type=CONTENT_TYPES[case.kind], tool_name=self._tool_name)
        watch = Watch(self._clock)
        claim = await watch.time(self._bus.put(expected, labels, ttl=self._ttl))
        put_ms = watch.ms
        payload = await watch.time(self._bus.get(claim.transaction_id))
        return Sent(claim.transaction_id, payload, put_ms, watch.ms)


class WebsocketPath:
    """Whole answers to a client that accepts no claims.

    What does not fit into its frames is refused by name, with the id of the stored answer: that
    is right, if the id can be redeemed.
    """

    name = "websocket"

    def __init__(self, whole: Client, redeeming: Client, clock: Clock) -> None:
        self._whole = whole
        self._redeeming = redeeming
        self._clock = clock

    async def send(self, case: Case, expected: bytes) -> Sent:
        watch = Watch(self._clock)
        try:
            answer = await watch.time(self._whole.call(TOOL, arguments_of(case)))
        except CallFailed as error:
            if error.error_code != "TOO_LARGE" or error.transaction_id is None:
                raise
            stored, put_ms = error.transaction_id, watch.ms
            payload = await watch.time(self._redeeming.fetch(stored))
            return Sent(
                stored, payload, put_ms, watch.ms,
                note="over the client's frame limit: refused by name, redeemed by id",
            )  # fmt: skip
        return Sent(answer.transaction_id, answer.payload, watch.ms, None)


class ClaimPath:
    """The id over the WebSocket, redeemed by `fetch`."""

    name = "claim"

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def send(self, case: Case, expected: bytes) -> Sent:
        watch = Watch(self._clock)
        claim = await watch.time(self._client.call_claim(TOOL, arguments_of(case)))
        put_ms = watch.ms
        payload = await watch.time(self._client.fetch(claim.transaction_id))
        return Sent(claim.transaction_id, payload, put_ms, watch.ms)


class HttpPath:
    """The id over the WebSocket, redeemed by GET /messages/{id} in one content coding."""

    def __init__(self, client: Client, http: Redeemer, coding: str, clock: Clock) -> None:
        self.name = f"http {coding}"
        self._client = client
        self._http = http
        self._coding = coding
        self._clock = clock

    async def send(self, case: Case, expected: bytes) -> Sent:
        watch = Watch(self._clock)
        claim = await watch.time(self._client.call_claim(TOOL, arguments_of(case)))
        put_ms = watch.ms
        payload = await watch.time(self._http.get(claim.transaction_id, self._coding))
        return Sent(claim.transaction_id, payload, put_ms, watch.ms)


class Watch:
    """Times one step after the other: `ms` is the last one's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ms = 0.0

    async def time(self, step: Awaitable[Result]) -> Result:
        began = self._clock.monotonic()
        try:
            return await step
        finally:
            self.ms = (self._clock.monotonic() - began) * 1000


def arguments_of(case: Case) -> dict[str, Any]:
    """The call of `generate` that answers with the case's payload."""
    return {"size_bytes": case.size, "kind": case.kind, "seed": case.seed}
