"""Measures limits with what test-integrity and bench are made of."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from busctl import __version__
from busctl.adapters.clock import SystemClock
from busctl.cli import bench_run, integrity_run
from busctl.cli.lists import names_of, sizes_of
from busctl.connect import open_facts
from busctl.core.configuration.settings import Settings
from busctl.core.samples import Kind
from busctl.core.sizes import parse_size, show_size
from busctl.ops import integrity
from busctl.ops.bench import run as bench
from busctl.ops.limits import Limits

SEARCHED: Kind = "random"
"""The content of the search for the largest payload: it does not compress."""
TIMED: Kind = "json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Sizes in bytes: from which the search starts, where it ends, and those that are timed."""

    paths: Sequence[str]
    start: int
    bound: int
    bound_why: str
    timed: Sequence[int]


def wanted_of(settings: Settings, *, sizes: str, paths: str, max_bytes: str | None) -> Wanted:
    """Raises ConfigurationError for what it cannot read."""
    most = settings.max_payload_bytes
    why = f"the configured maximum, MESSAGE_BUS_MAX_PAYLOAD_MB ({show_size(most)})"
    if max_bytes is not None and (asked := parse_size(max_bytes)) < most:
        most, why = asked, f"--max-bytes ({show_size(asked)})"
    timed = [one for one in sizes_of(sizes) if 0 < one <= settings.max_payload_bytes]
    return Wanted(
        names_of(paths, integrity_run.PATHS, "--paths"), min(1_000_000, most), most, why, timed
    )


async def measure(settings: Settings, wanted: Wanted, *, quiet: bool) -> Limits:
    """Search, then time. Raises the store's errors."""
    machine = await _machine(settings)
    plan = integrity.Plan([wanted.start], [SEARCHED], 1, first_seed=secrets.randbelow(1 << 40))
    search = integrity_run.Wanted(plan, wanted.paths, None, wanted.bound, wanted.bound_why)
    found, _ = await integrity_run.measure(settings, search, quiet=quiet)
    not_tried = {one.path: one.note for one in found.not_tried}
    paths = [one for one in wanted.paths if one in bench.PATHS]
    timing = bench_run.Wanted(
        bench.Plan(wanted.timed, [TIMED], paths, None, True), ("none",), 0.0, False
    )
    timed, _ = await bench_run.measure(settings, timing, [])
    ours = [row for row in timed.rows if row.subject == "bus"]
    return Limits(machine, found.limits, ours, not_tried)


async def _machine(settings: Settings) -> Mapping[str, str]:
    async with open_facts(settings) as facts:
        (server,) = await facts.ask("doctor_server")
        line = facts.line
    where = "on the same machine" if line.is_local else "across a network"
    kind = "configured database" if settings.database_url else "embedded PostgreSQL"
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": SystemClock().now().date().isoformat(),
        "busctl": __version__,
        "store": f"{kind} {server['version']}, {where}",
        "pooler": "yes" if line.pooled else "no",
        "processors": str(os.cpu_count()),
        "memory": f"{pages / 1e9:.1f} GB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
