"""What a caller waits for its answer while the store is away, against the same with the store."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest

from busctl.adapters import embedded
from busctl.adapters.postgres.migrator import Migrator
from busctl.adapters.websocket import BusClient
from busctl.core.samples import sample
from busctl.ops.bench.prepared import SEED, SPEC, TOOL
from tests.adapters.bus_sql import eventually
from tests.e2e.daemons import TOKEN, Running, daemon

SIZE = 10_000_000
CALLS = 4
ROUNDS = 3
MOST = 2.0
"""Far above what is measured on a quiet machine (docs/architecture.md): it holds on a busy one."""


def told(running: Running) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{running.url}/readyz?verbose", timeout=30) as answer:
            found = answer.read()
    except urllib.error.HTTPError as error:
        found = error.read()
    return json.loads(found)  # type: ignore[no-any-return]  # what we wrote ourselves


async def until(running: Running, what: str, is_so: Callable[[dict[str, Any]], bool]) -> None:
    async def look() -> bool:
        return is_so(await asyncio.to_thread(told, running))

    await eventually(look, what)


@pytest.mark.parametrize("kind", ["json", "random"])
async def test_ten_megabytes_come_as_soon_without_the_store(
    open_folder: Path, tmp_path: Path, kind: str, record_property: Callable[[str, object], None]
) -> None:
    """A claim-capable client, from the call to the verified bytes: rounds with the store, then
    without it, the breaker open."""
    home = open_folder / f"away-{kind}"
    server = await asyncio.to_thread(embedded.start, home, keep=True)
    async with await Migrator.connect(server.dsn) as migrator:
        await migrator.up()
    expected = sample(kind, SIZE, SEED)  # type: ignore[arg-type]  # a Kind
    times: dict[str, list[float]] = {"present": [], "away": []}
    settings = {
        "BUSCTL_TOOLS": SPEC, "BUSCTL_STATE_DIR": str(tmp_path),
        "MESSAGE_BUS_CIRCUIT_BREAKER_TIMEOUT_SECS": "2", "BUSCTL_LOG_LEVEL": "warning",
    }  # fmt: skip
    try:
        with daemon(server.dsn, **settings) as running:
            async with BusClient.connect(running.url.replace("http", "ws"), TOKEN) as client:

                async def call() -> float:
                    began = perf_counter()
                    claim = await client.call_claim(TOOL, {"size_bytes": SIZE, "kind": kind})
                    payload = await client.fetch(claim.transaction_id)
                    seconds = perf_counter() - began
                    assert payload == expected
                    return seconds

                for _ in range(ROUNDS):
                    await measured(times["present"], call)
                    await asyncio.to_thread(embedded.stop, home, force=True)
                    while told(running)["breaker"] != "open":
                        await call()
                    await measured(times["away"], call)
                    await asyncio.to_thread(embedded.start, home, keep=True)
                    await until(running, "the store is back", is_back)
                await measured(times["present"], call)
    finally:
        await asyncio.to_thread(embedded.stop, home, force=True)
    ratio = median(times["away"]) / median(times["present"])
    record_property("ratio", ratio)
    for name, series in times.items():
        print(f"{kind} {name}: {', '.join(f'{1000 * each:.0f}' for each in series)} ms")
    print(f"10 MB {kind} with the store away: {ratio:.2f} times as long (medians)")
    assert ratio <= MOST


def is_back(health: dict[str, Any]) -> bool:
    return health["breaker"] == "closed" and not health["spool"]["messages"]


async def measured(series: list[float], call: Callable[[], Awaitable[float]]) -> None:
    await call()  # warm
    for _ in range(CALLS):
        series.append(await call())
