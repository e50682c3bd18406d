"""What the audit trail costs: hops, deliveries, truncation scan, and a daemon's own looks."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from busctl.adapters.websocket import BusClient
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from tests.bench.timing import medians
from tests.e2e.daemons import TOKEN, daemon

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

ROUNDS = 400
WITHOUT = {
    "MESSAGE_BUS_TRACE_HOPS": "false", "MESSAGE_BUS_DETECT_TRUNCATION": "false",
    "BUSCTL_ALERT_INTERVAL_SECS": "0",
}  # fmt: skip


async def test_put_and_get_of_a_kilobyte_with_its_trail(database: str) -> None:
    payload = os.urandom(1000)
    async with AsyncExitStack() as stack:

        async def opened(**fields: bool) -> Bus:
            settings = Settings(database_url=SecretStr(database), **fields)  # type: ignore[arg-type]  # flags alone
            return await stack.enter_async_context(Bus.connect(settings))

        async def there_and_back(bus: Bus) -> None:
            claim = await bus.put(payload)
            assert await bus.get(claim.transaction_id) == payload

        traced, plain = await opened(), await opened(trace_hops=False)
        found = await medians(
            {"traced": lambda: there_and_back(traced), "plain": lambda: there_and_back(plain)},
            ROUNDS,
        )
    ratio = found["traced"] / found["plain"]
    print(f"1 KB put and get with its trail: {ratio:.2f} x of {1000 * found['plain']:.2f} ms")
    assert ratio <= 1.25


async def test_a_call_of_a_kilobyte_with_its_trail(database: str) -> None:
    def named(settings: dict[str, str]) -> str:
        return "plain" if settings else "traced"

    async with AsyncExitStack() as stack:
        clients = {}
        for settings in ({}, WITHOUT):
            running = await asyncio.to_thread(stack.enter_context, daemon(database, **settings))
            url = running.url.replace("http", "ws")
            clients[named(settings)] = await stack.enter_async_context(
                BusClient.connect(url, TOKEN)
            )
        found = await medians(
            {
                name: lambda client=client: client.call("text", {"value": "x" * 1000})  # type: ignore[misc]  # a lambda with a default
                for name, client in clients.items()
            },
            ROUNDS,
        )
    ratio = found["traced"] / found["plain"]
    print(f"A call of 1 KB with its trail: {ratio:.2f} x of {1000 * found['plain']:.2f} ms")
    assert ratio <= 1.25
