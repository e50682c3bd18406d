"""The roll-up by the minute: what it counts, that doing it again changes nothing, and that plots
read nothing but it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from busctl.adapters.postgres.flow import PostgresTraffic
from busctl.adapters.postgres.store import PostgresStore
from busctl.connect import Bus
from busctl.core.envelope import Labels, MessageType, Status
from busctl.core.ids import make_id, unix_ms
from busctl.core.operating.flow import MINUTE, Window, flow_shape
from busctl.ops.serve.rollup import Rollup
from tests.adapters.bus_sql import sql


@pytest.fixture
def traffic(bus: Bus) -> PostgresTraffic:
    store = bus.store.inner
    assert isinstance(store, PostgresStore)
    return PostgresTraffic(store, timeout=5)


async def counted(bus: Bus, traffic: PostgresTraffic) -> int:
    now = datetime.now(UTC)
    return await traffic.refresh(now - 2 * MINUTE, now + MINUTE)


async def test_it_counts_by_tool_owner_and_size(bus: Bus, traffic: PostgresTraffic) -> None:
    for size in (10, 5_000, 2_000_000):
        await bus.put(b"x" * size, Labels(tool_name="search", owner="amy"))
    said = Labels(MessageType.WATCHER_OBSERVATION, tool_name="search", owner="amy")
    await bus.put(b"seen", said)
    refused = await bus.put(b"no", Labels(MessageType.ERROR, tool_name="search", owner="bob"))
    read = await bus.put(b"yes", Labels(tool_name="fetch", owner="amy"))
    for one in (read, refused):
        await bus.get(one.transaction_id)
    await bus.deliveries.flush()
    assert await counted(bus, traffic) > 0
    flow = await traffic.flow(Window.QUARTER, None)
    assert flow.total == {
        "messages": 5, "errors": 1, "payload_bytes": 2_005_015,
        "stored_bytes": flow.total["stored_bytes"], "deliveries": 2,
    }  # fmt: skip
    assert flow.sizes == (3, 1, 0, 0, 1, 0)
    assert (await traffic.flow(Window.WEEK, "bob")).total["messages"] == 1
    assert (await bus.stat(refused.transaction_id)).status is Status.ERROR
    assert (await traffic.load()).pending == 3
    assert flow_shape(flow)["tools"][0]["tool_name"] == "search"
    assert len(flow.steps) in (15, 16) and flow.steps[-1].at > datetime.now(UTC) - 2 * MINUTE


async def test_counting_again_changes_nothing_and_keeps_what_was_removed(
    bus: Bus, traffic: PostgresTraffic
) -> None:
    kept = [await bus.put(b"x", Labels(tool_name=None)) for _ in range(3)]
    await counted(bus, traffic)
    before = await traffic.flow(Window.HOUR, None)
    assert await counted(bus, traffic) == 0
    await bus.remove(kept[0].transaction_id)
    await counted(bus, traffic)
    after = await traffic.flow(Window.HOUR, None)
    assert after.total == before.total and after.total["messages"] == 3


async def test_a_late_message_is_found_when_its_hour_has_its_turn(
    bus: Bus, traffic: PostgresTraffic
) -> None:
    then = datetime.now(UTC) - timedelta(hours=3)
    early = make_id(unix_ms(then), os.urandom(10))
    await bus.put(b"late", Labels(tool_name="late"), transaction_id=early)
    turn = Rollup(traffic, bus.store, bus.clock)
    for _ in range(5):
        await turn()
    tools = {one.tool_name: one.messages for one in (await traffic.flow(Window.DAY, None)).tools}
    assert tools == {"late": 1}


async def test_plots_read_the_roll_up_alone(database: str) -> None:
    """tests/conditions/test_long_history.py looks at the plans, on a million messages."""
    body = await sql(database, "select prosrc from pg_proc where proname in ('flow', 'tool_flow')")
    assert len(body) == 2 and "message_bus" not in str(body)
