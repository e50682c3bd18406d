"""`busctl watch --list`: the dashboard's page Watch in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from busctl.adapters.postgres.flow import PostgresTraffic
from busctl.cli.rendering import counted, printable, show_time
from busctl.cli.running import emit_json
from busctl.connect import open_store
from busctl.core.configuration.settings import Settings
from busctl.core.watching.watch import Watch


async def show(settings: Settings, most: int, *, as_json: bool) -> None:
    """Followers, and at most so many of the newest findings and observations of a day. Raises the
    store's errors."""
    async with open_store(settings) as store:
        traffic = PostgresTraffic(store, timeout=settings.read_timeout_secs)
        found = await traffic.watch(most)
    if as_json:
        emit_json(_shape(found))
        return
    for line in _lines(found):
        print(printable(line))


def _shape(found: Watch) -> dict[str, Any]:
    return {
        "followers": [asdict(one) for one in found.followers],
        "findings": [asdict(one) for one in found.remarks],
        "observations": [asdict(one) for one in found.observations],
    }


def _lines(found: Watch) -> Iterator[str]:
    for one in found.followers:
        listens = ", listening" if one.listening else ""
        yield (
            f"follower {one.name}: {one.waiting:,} waiting, {one.lag.total_seconds():.1f} s"
            f" behind, moved {show_time(one.moved_at)}{listens}"
        )
    if not found.followers:
        yield "Nobody follows."
    for remark in found.remarks:
        tool = remark.tool_name or "-"
        yield f"{remark.severity} {remark.rule} {remark.observed} {tool}: {remark.message}"
    wrong = sum(one.is_wrong for one in found.observations)
    seen = counted(len(found.observations), "observation")
    yield f"{seen} of the last day, {wrong:,} of something that is not right."
