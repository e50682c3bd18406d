"""The dashboard on a store with a million messages of history: what it shows first comes as fast
as on an empty one, it reads by indexes and roll-ups, and twenty viewers cost what one does."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import psycopg
import pytest
from playwright.async_api import Page, expect

from busctl.adapters import embedded
from busctl.adapters.postgres.listing import listing
from busctl.adapters.sqlfiles import queries
from busctl.core.ids import first_id, unix_ms_of
from busctl.core.operating.flow import Window
from busctl.ports import Filter
from tests.adapters.bus_sql import new_id
from tests.conditions.browser import browsing
from tests.conditions.history import fill
from tests.conftest import make_database
from tests.e2e.daemons import TOKEN, Running, daemon

MESSAGES = 1_000_000
LOADS = 9
FIRST_PAINT = """new Promise((told) => new PerformanceObserver((list) => {
    for (const one of list.getEntriesByName('first-contentful-paint')) told(one.startTime);
}).observe({ type: 'paint', buffered: true }))"""
MOST_SLOWER = 1.5
WATCHED_SECS = 8.0
VIEWERS = 20
FEW = 2_000
"""Rows that an index leads to and that are none of those asked for."""

_filled: dict[str, str] = {}


@pytest.fixture
async def history(server: embedded.Server) -> str:
    """A database with a million messages, made once for the tests of this module."""
    if server.dsn not in _filled:
        dsn = await make_database(server, f"history_{os.getpid()}")
        await asyncio.to_thread(fill, dsn, MESSAGES)
        _filled[server.dsn] = dsn
    return _filled[server.dsn]


@contextmanager
def both(history: str, empty: str, folder: Path) -> Iterator[tuple[Running, Running]]:
    """A daemon on each of them."""
    with (
        daemon(history, BUSCTL_STATE_DIR=str(folder / "one")) as long,
        daemon(empty, BUSCTL_STATE_DIR=str(folder / "other")) as short,
    ):
        yield long, short


async def first_paint(page: Page, running: Running, path: str) -> float:
    await page.goto(running.url + path)
    await expect(page.get_by_role("region", name=re.compile("Message flow"))).to_be_visible()
    return float(await page.evaluate(FIRST_PAINT))


@pytest.mark.parametrize("window", ["15m", "7d"])
async def test_now_shows_as_soon_as_on_an_empty_store(
    history: str, database: str, tmp_path: Path, window: str
) -> None:
    with both(history, database, tmp_path) as daemons:
        async with browsing() as browser:
            for running in daemons:
                await browser.login(running)
            times: dict[str, list[float]] = {running.url: [] for running in daemons}
            for _ in range(LOADS):
                for running in daemons:
                    painted = await first_paint(browser.page, running, f"/?window={window}")
                    times[running.url].append(painted)
    long, short = (statistics.median(times[running.url]) for running in daemons)
    assert long <= MOST_SLOWER * short, f"{long:.0f} ms, {short:.0f} ms on an empty store"


class Plans:
    """The plans of what a session runs, those inside of functions too, told by auto_explain."""

    def __init__(self, dsn: str) -> None:
        self._session = psycopg.connect(dsn, autocommit=True)
        self._told: list[str] = []
        for setting in (
            "load 'auto_explain'", "set auto_explain.log_min_duration = 0",
            "set auto_explain.log_analyze = on", "set auto_explain.log_timing = off",
            "set auto_explain.log_nested_statements = on", "set client_min_messages = log",
        ):  # fmt: skip
            self._session.execute(setting.encode())
        self._session.add_notice_handler(lambda one: self._told.append(one.message_primary or ""))

    def of(self, role: str, query: str, values: Mapping[str, object]) -> str:
        """Run it as that role, as busctl does."""
        self._session.execute(f"set role {role}".encode())
        self._told.clear()
        self._session.execute(query.encode(), values, binary=True).fetchall()
        found = "\n".join(self._told)
        self._session.execute("reset role")
        assert "Query Text" in found
        return found

    def close(self) -> None:
        self._session.close()


async def test_no_page_reads_a_partition_from_end_to_end(history: str) -> None:
    """With the statistics of a large table and the planner as it is."""
    plans, sql = Plans(history), queries()
    known = new_id(-3600)
    around = {
        "id": known,
        "low": first_id(unix_ms_of(known)),
        "high": first_id(unix_ms_of(known) + 1),
    }
    asked: list[tuple[str, str, Mapping[str, object]]] = [
        (name, sql[name], {"span": window.span, "step": window.step, "owner": owner})
        for name in ("flow_steps", "flow_tools")
        for window in Window
        for owner in (None, "owner-1")
    ]
    asked += [
        (name, *listing(sql["message_list"], wanted))
        for name, wanted in {
            "newest": Filter(limit=9), "of an owner": Filter(owner="owner-1", limit=9),
            "a page": Filter(limit=51, after=known),
            "of a tool": Filter(tool_name="tool-3", limit=51),
        }.items()
    ]  # fmt: skip
    limited = {"limit": 50}
    asked += [
        (name, sql[name], limited)
        for name in ("watch_observations", "watch_findings", "watch_lags")
    ]
    asked += [(name, sql[name], around) for name in ("observed_of", "findings_of")]
    asked += [(name, sql[name], {}) for name in ("watch_followers", "daemon_list")]
    asked += [(name, sql[name], {"id": known}) for name in ("message_stat", "event_list")]
    try:
        for name, query, values in asked:
            plan = plans.of("bus_reader", query, values)
            scanned = re.findall(r"Seq Scan on (?:message_bus|message_event)_p\w+", plan)
            whole = [one for one in scanned if rows_of(history, one.split()[-1])]
            assert whole == [], f"{name}: {plan}"
            assert "Sort Key: transaction_id" not in plan, f"{name}: {plan}"
            passed_over = map(int, re.findall(r"Rows Removed by Filter: (\d+)", plan))
            assert name.startswith("flow_") or sum(passed_over) < FEW, f"{name}: {plan}"
        assert "message_bus" not in plans.of("bus_reader", sql["flow_steps"], asked[0][2]).replace(
            "Query Text", ""
        )
    finally:
        plans.close()


def rows_of(dsn: str, partition: str) -> int:
    """What is known of its size; partitions of the future are empty and read as they may be."""
    asked = "select reltuples::bigint from pg_class where relname = %s"
    with psycopg.connect(dsn) as session:
        row = session.execute(asked, [partition]).fetchone()
    return 0 if row is None else max(0, row[0])


async def test_twenty_viewers_cost_what_one_does(history: str, tmp_path: Path) -> None:
    with daemon(history, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:
        await transactions(running, history, 1, 3.0)  # what is asked once at the start
        one = await transactions(running, history, 1, WATCHED_SECS)
        many = await transactions(running, history, VIEWERS, WATCHED_SECS)
    assert 0 < many <= 2 * one, f"{many} transactions for {VIEWERS} viewers, {one} for one"


async def transactions(running: Running, dsn: str, viewers: int, seconds: float) -> int:
    """How many the daemon's connections committed while so many looked at *Now*."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=running.url, timeout=30)
        )
        form = urlencode({"token": TOKEN})
        headers = {"Origin": running.url, "Content-Type": "application/x-www-form-urlencoded"}
        entered = await client.post("/ui/login", content=form, headers=headers)
        assert entered.status_code == 303
        lines = [
            asyncio.create_task(look(stack, client, heard))
            for heard in (asyncio.Event() for _ in range(viewers))
        ]
        await asyncio.gather(*lines)
        before = committed(dsn)
        await asyncio.sleep(seconds)
        return committed(dsn) - before


async def look(stack: AsyncExitStack, client: httpx2.AsyncClient, heard: asyncio.Event) -> None:
    """Open the page's events and read them on, until the stack ends."""
    opened = await stack.enter_async_context(client.stream("GET", "/ui/events?view=now"))
    assert opened.status_code == 200

    async def read() -> None:
        async for line in opened.aiter_lines():
            if line.startswith("event: now"):
                heard.set()

    reading = asyncio.create_task(read())
    stack.callback(reading.cancel)
    await asyncio.wait_for(heard.wait(), 20)


def committed(dsn: str) -> int:
    """Of this database so far. Each backend tells of its own at least once a second."""
    with psycopg.connect(dsn, autocommit=True) as session:
        row = session.execute(
            "select xact_commit from pg_stat_database where datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])
