"""One large tool answer by claim check, redeemed two ways and compared with its own bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from busctl.core import samples
from busctl.core.envelope import ClaimCheck
from busctl.ports import Clock

TOOL = "generate"


class Client(Protocol):
    """The part of BusClient that is shown."""

    received_bytes: int

    async def call_claim(self, tool: str, arguments: Mapping[str, Any]) -> ClaimCheck: ...
    async def fetch(self, transaction_id: UUID) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Called:
    """The call: how many bytes of frames its answer took, and seconds."""

    claim: ClaimCheck
    frame_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The claim redeemed one way; `differs_at` is the first wrong byte, None if there is none."""

    size: int
    seconds: float
    differs_at: int | None


def arguments_of(size: int, seed: int) -> dict[str, Any]:
    return {"size_bytes": size, "kind": "json", "seed": seed}


def expected(size: int, seed: int) -> bytes:
    """The same bytes, made here."""
    return samples.sample("json", size, seed)


async def call(client: Client, clock: Clock, arguments: Mapping[str, Any]) -> Called:
    """Call the tool, and have the claim check of its answer."""
    before, began = client.received_bytes, clock.monotonic()
    claim = await client.call_claim(TOOL, arguments)
    return Called(claim, client.received_bytes - before, clock.monotonic() - began)


async def redeem(
    get: Callable[[UUID], Awaitable[bytes]], clock: Clock, claim: ClaimCheck, wanted: bytes
) -> Redeemed:
    """Redeem the claim by `get` and compare byte for byte."""
    began = clock.monotonic()
    payload = await get(claim.transaction_id)
    return Redeemed(len(payload), clock.monotonic() - began, first_difference(payload, wanted))


def first_difference(found: bytes, wanted: bytes) -> int | None:
    """The offset of the first byte that differs (or is missing, or too many); None if none."""
    if found == wanted:
        return None
    return next(_differences(found, wanted), min(len(found), len(wanted)))


def _differences(found: bytes, wanted: bytes) -> Iterator[int]:
    for start in range(0, min(len(found), len(wanted)), 4096):
        if found[start : start + 4096] != wanted[start : start + 4096]:
            for at, (one, other) in enumerate(zip(found[start:], wanted[start:], strict=False)):
                if one != other:
                    yield start + at
