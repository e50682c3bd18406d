"""The bus on a real store: what goes in comes out."""

from __future__ import annotations

from busctl.connect import Bus


async def test_small_and_large_payloads_come_back_identical(bus: Bus) -> None:
    for payload in (b"", b"x", b"\x00\xff" * 600_000, b"a" * 5_000_000):
        claim = await bus.put(payload)
        assert await bus.get(claim.transaction_id) == payload
