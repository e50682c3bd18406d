"""Looks for `busctl top`, and how they are shown."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.flow import PostgresTraffic
from busctl.adapters.postgres.journal import PostgresJournal
from busctl.adapters.postgres.store import PostgresStore
from busctl.cli import alert_run
from busctl.cli.rendering import counted, printable, show_size
from busctl.cli.running import emit_json, envelope_shape
from busctl.connect import Bus, open_store
from busctl.core.configuration.settings import Settings
from busctl.core.operating.flow import MINUTE, Flow, Load, Now, Window, flow_shape
from busctl.core.operating.standing import is_heard
from busctl.ops.top import top

if TYPE_CHECKING:
    from rich.console import Group

    from busctl.core.operating.journal import DaemonState

ALONE = timedelta(hours=1)
"""As much is counted here then."""
BARS = "▁▂▃▄▅▆▇█"
TOOLS = 12
WIDE = 400


async def follow(
    settings: Settings, window: Window, interval: float | None, *, as_json: bool
) -> None:
    """Look every `interval` seconds, None: once. Raises the store's errors."""
    async with open_store(settings) as store:
        bus = Bus(store, settings, SystemClock(), hop="top")
        look = partial(_look, bus, store, window)
        if as_json:
            await _repeat(look, interval, _emit)
        elif interval is None:
            await _repeat(look, None, _print)
        else:
            from rich.live import Live

            with Live(auto_refresh=False, screen=True) as live:
                await _repeat(
                    look, interval, lambda found: live.update(_shown(*found), refresh=True)
                )


async def _repeat(look: Any, interval: float | None, show: Any) -> None:
    while True:
        show(await look())
        if interval is None:
            return
        await asyncio.sleep(interval)


async def _look(bus: Bus, store: PostgresStore, window: Window) -> tuple[Now, Load]:
    settings = bus.settings
    traffic = PostgresTraffic(
        store, timeout=settings.read_timeout_secs, quota_bytes=settings.db_max_bytes
    )
    journal, now = PostgresJournal(store), datetime.now(UTC)
    if not any(is_heard(one, now) for one in await journal.daemons()):
        await traffic.refresh(now - min(window.span, ALONE), now + MINUTE)
    book = alert_run.book_of(bus.settings, store)
    flow = await traffic.flow(window, None)
    newest = flow if window is Window.QUARTER else await traffic.flow(Window.QUARTER, None)
    found = await top(bus, journal, book, flow)
    return replace(found, rates=newest.rates(now)), await traffic.load()


# --- showing -----------------------------------------------------------------------------------


def _emit(found: tuple[Now, Load]) -> None:
    now, load = found
    emit_json({
        "at": datetime.now(UTC), **flow_shape(now.flow), "rates": dict(now.rates),
        "load": asdict(load),
        "daemons": [asdict(one) for one in now.daemons],
        "alerts": [
            {**asdict(one.key), "grade": one.grade.name, "message": one.message,
             "remedy": one.remedy, "raised_at": one.raised_at} for one in now.alerts
        ],
        "recent": [envelope_shape(one) for one in now.recent],
    })  # fmt: skip
    sys.stdout.flush()


def _print(found: tuple[Now, Load]) -> None:
    from rich.console import Console

    # Elsewhere than on a terminal nothing is cut to fit.
    Console(width=None if sys.stdout.isatty() else WIDE).print(_shown(*found))


def _shown(now: Now, load: Load) -> Group:
    from rich.console import Group
    from rich.text import Text

    lines = [*_lines(now.flow, load), _now(now.rates), *_daemons(now), *_alerts(now)]
    return Group(*(Text(printable(line), no_wrap=True, overflow="ellipsis") for line in lines),
                 _tools(now.flow))  # fmt: skip


def _lines(flow: Flow, load: Load) -> list[str]:
    total, steps = flow.total, flow.steps
    secs = flow.window.span.total_seconds()
    rates = [one.messages / flow.window.step.total_seconds() for one in steps]
    times = [one.mean_ms or 0.0 for one in steps]
    sizes = [one.largest_bytes or 0 for one in steps]
    return [
        f"{flow.window.value}: {counted(total['messages'], 'message')}"
        f" ({total['messages'] / secs:.2f}/s), {show_size(total['payload_bytes'])}"
        f" ({show_size(total['stored_bytes'])} stored), {counted(total['errors'], 'error')},"
        f" {total['deliveries']:,} delivered, {flow.fell_back:,} fell back,"
        f" {flow.reconciled:,} reconciled",
        f"rate   {_bars(rates)}  at most {max(rates, default=0):.2f}/s",
        f"time   {_bars(times)}  at most {max(times, default=0):.1f} ms to store (mean)",
        f"size   {_bars(sizes)}  at most {show_size(max(sizes, default=0))}",
        f"database {show_size(load.database_bytes)}{_budget(load)},"
        f" {load.pending:,} not yet delivered",
    ]


def _now(rates: Mapping[str, float]) -> str:
    """What the dashboard writes at the lines of its picture."""
    return (
        f"now    {rates['messages']:.2f} messages/s, {show_size(round(rates['payload_bytes']))}/s,"
        f" {rates['errors']:.2f} errors/s, {rates['deliveries']:.2f} delivered/s"
    )


def _budget(load: Load) -> str:
    if not load.quota_bytes:
        return ""
    return f" of {show_size(load.quota_bytes)} ({load.database_bytes / load.quota_bytes:.0%})"


def _bars(values: list[float] | list[int]) -> str:
    most = max(values, default=0) or 1
    return "".join(BARS[round(value / most * (len(BARS) - 1))] for value in values)


def _daemons(now: Now) -> list[str]:
    return [_daemon(one, datetime.now(UTC)) for one in now.daemons] or ["no daemon"]


def _daemon(one: DaemonState, at: datetime) -> str:
    """What one that has died last said of itself, but its spool, is of no use."""
    if not is_heard(one, at):
        seen = f"{one.seen_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return f"{one.daemon}: not heard of since {seen}, spool {one.spool_messages:,}"
    return (
        f"{one.daemon}: breaker {one.breaker}, {one.inflight} running,"
        f" {counted(one.sessions, 'session')}, spool {one.spool_messages:,}"
    )


def _alerts(now: Now) -> list[str]:
    return [f"{one.grade.name} {one.key.kind}: {one.message}" for one in now.alerts]


def _tools(flow: Flow) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(("tool", "messages", "errors", "bytes", "largest", "mean time")):
        table.add_column(name, justify="right" if number else "left")
    for one in flow.tools[:TOOLS]:
        mean = "-" if one.mean_ms is None else f"{one.mean_ms:.1f} ms"
        table.add_row(
            Text(printable(one.tool_name) or "-"), f"{one.messages:,}", f"{one.errors:,}",
            show_size(one.payload_bytes), show_size(one.largest_bytes), mean,
        )  # fmt: skip
    return table
