"""One tool's answer on each of its ways through the daemon, turn and turn about.

A way begins with the call and ends with the verified bytes in hand. Each of them runs the tool,
which has its bytes ready, and stores the answer: what differs is how the bytes come back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from busctl.core.envelope import ClaimCheck
from busctl.core.errors import CallFailed
from busctl.core.replies import CallResult
from busctl.core.samples import Kind
from busctl.ops.bench.compare import SETTLED_BYTES, WARM_UP_ROUNDS, in_turn, same_bytes, timed
from busctl.ops.bench.prepared import TOOL
from busctl.ops.bench.report import LeftOut, Row, ratios
from busctl.ops.bench.series import Series
from busctl.ops.bench.subjects import remove_all
from busctl.ops.bus import Bus
from busctl.ports import Clock, Filter

LISTED_AT_ONCE = 500
Way = Callable[[Mapping[str, Any]], Awaitable[tuple[UUID, bytes]]]
"""Calls the tool with these arguments; the answer's id and its bytes."""


class Client(Protocol):
    """The part of BusClient that is measured."""

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallResult: ...
    async def call_claim(self, tool: str, arguments: Mapping[str, Any]) -> ClaimCheck: ...


class Redeemer(Protocol):
    """Redeems over HTTP."""

    async def get(self, transaction_id: UUID) -> bytes: ...


def ways(claims: Client, whole: Client, http: Redeemer) -> dict[str, Way]:
    """By path. `claims` is a session whose every answer comes as a claim check, `whole` one that
    accepts none."""

    async def by_claim(arguments: Mapping[str, Any]) -> tuple[UUID, bytes]:
        answer = await claims.call(TOOL, arguments)
        return answer.transaction_id, answer.payload

    async def in_one_frame(arguments: Mapping[str, Any]) -> tuple[UUID, bytes]:
        answer = await whole.call(TOOL, arguments)
        return answer.transaction_id, answer.payload

    async def over_http(arguments: Mapping[str, Any]) -> tuple[UUID, bytes]:
        claim = await claims.call_claim(TOOL, arguments)
        return claim.transaction_id, await http.get(claim.transaction_id)

    return {"claim": by_claim, "websocket": in_one_frame, "http": over_http}


async def compare_calls(
    all_ways: Mapping[str, Way], content: Kind, payload: bytes, repeat: int, clock: Clock,
    step: Callable[[], None],
) -> tuple[list[Row], list[LeftOut]]:  # fmt: skip
    """Times of one call on every way, `repeat` rounds after a warm-up; and the ways that cannot
    carry that much. Raises MessageCorrupt if other bytes came."""
    arguments = {"size_bytes": len(payload), "kind": content}
    fitting, left_out = await _fitting(all_ways, arguments, content, len(payload))
    series = {name: Series() for name in fitting}
    warm_up = 1 if len(payload) > SETTLED_BYTES else WARM_UP_ROUNDS
    for number in range(1 - warm_up, repeat):
        for name in in_turn(list(fitting), number):
            seconds, (answered, payload_again) = await timed(fitting[name](arguments), clock)
            same_bytes(answered, payload, payload_again)
            if number >= 0:
                series[name].add(seconds)
        step()
    rows = [
        Row(name, content, len(payload), "call", "bus", series[name], against=ratios(name, series))
        for name in series
    ]
    return rows, left_out


async def _fitting(
    all_ways: Mapping[str, Way], arguments: Mapping[str, Any], content: str, size: int
) -> tuple[dict[str, Way], list[LeftOut]]:
    """The first round of the warm-up, which also shows what a frame has no room for."""
    fitting: dict[str, Way] = {}
    left_out: list[LeftOut] = []
    for name, way in all_ways.items():
        try:
            await way(arguments)
        except CallFailed as error:
            if error.error_code != "TOO_LARGE":
                raise
            left_out.append(LeftOut(name, content, size, error.message))
        else:
            fitting[name] = way
    return fitting, left_out


async def remove_answers(bus: Bus, sessions: Sequence[str]) -> None:
    """Remove every message of these sessions, also of calls that nobody waited for."""
    for session in sessions:
        wanted = Filter(session_id=session, limit=LISTED_AT_ONCE)
        while found := await bus.list(wanted):
            await remove_all(bus, [envelope.transaction_id for envelope in found])
