"""The parts of `busctl bench` that load libraries: store, proxy, probe process, table."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from busctl.adapters.clock import SystemClock
from busctl.adapters.latency_proxy import LatencyProxy
from busctl.adapters.memory import Watch
from busctl.adapters.postgres.baselines import JsonbTable, RawTable, Scratch
from busctl.adapters.postgres.proxied import address_of, through
from busctl.connect import Bus, open_store, store_dsn
from busctl.core import samples
from busctl.core.errors import ConfigurationError, StoreFailed
from busctl.core.settings import Settings
from busctl.ops.bench import run as op
from busctl.ops.bench.memory import measure_memory
from busctl.ops.bench.report import BenchReport, Memory, RoundTrips, Row
from busctl.ops.bench.subjects import Subject
from busctl.ops.bench.trips import count_round_trips

Name = TypeVar("Name", bound=str)
BASELINES = ("raw", "jsonb", "none")
TRIP_SIZES = (1_000, 10_000_000)
_SIZE = re.compile(r"(\d+)\s*(B|KB|MB|KIB|MIB)?", re.IGNORECASE)
_UNITS = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "KIB": 1024, "MIB": 1024**2}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for."""

    plan: op.Plan
    baselines: Sequence[str]
    rtt_ms: float
    memory: bool


def plan_of(sizes: str, contents: str, paths: str, repeat: int | None, quick: bool) -> op.Plan:
    """Raises ConfigurationError for what it cannot read."""
    return op.Plan(
        sizes=[_size_of(text) for text in sizes.split(",")],
        contents=names_of(contents, samples.KINDS, "--contents"),
        paths=names_of(paths, op.PATHS, "--paths"),
        repeat=repeat,
        quick=quick,
    )


def names_of(text: str, known: Sequence[Name], option: str) -> list[Name]:
    chosen = [one for name in text.split(",") for one in known if one == name.strip()]
    if len(chosen) != len(text.split(",")):
        raise ConfigurationError(f"{option} {text!r}: known are {', '.join(known)}.")
    return chosen


def _size_of(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise ConfigurationError(f"--sizes: {text!r} is not a size such as 10KB, 1MB or 1MiB.")
    return int(match[1]) * _UNITS[(match[2] or "").upper()]


async def measure(
    settings: Settings, wanted: Wanted, child_args: Sequence[str]
) -> tuple[BenchReport, str]:
    """The report, and which kind of store it is of: "embedded" or "configured"."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        dsn, is_embedded = await stack.enter_async_context(store_dsn(settings))
        # Migrates the embedded store, and says what a configured one lacks.
        await stack.enter_async_context(open_store(settings))
        led = dsn
        if wanted.rtt_ms:
            led, _ = await stack.enter_async_context(_proxied(dsn, wanted.rtt_ms / 1000))
        bus = await stack.enter_async_context(Bus.connect(_of(settings, led), hop="bench"))
        scratch = Scratch(led, connect_timeout=settings.connect_timeout_secs)
        pool = (await stack.enter_async_context(scratch)).pool
        kinds: dict[str, type[RawTable]] = {"raw": RawTable, "jsonb": JsonbTable}
        subjects: list[Subject] = [kinds[name](pool) for name in wanted.baselines if name in kinds]
        with _telling() as step:
            report = await op.bench(bus, subjects, wanted.plan, clock, step)
        report.round_trips += await _round_trips(settings, dsn, clock)
        if wanted.memory:
            report.memory += await _memory(dsn, max(wanted.plan.sizes), child_args)
        return report, "embedded" if is_embedded else "configured"


async def probe(settings: Settings, source: Path) -> list[dict[str, Any]]:
    """The part that runs in a process of its own: streams `source` in and out."""
    async with open_store(settings) as store:
        bus = Bus(store, settings, SystemClock(), hop="bench")

        def watch() -> Watch:
            return Watch(store.pool.backend_pids)

        peaks = await measure_memory(bus, source, watch)
        await bus.deliveries.close()
        return [one.shape() for one in peaks]


def lines_of(report: BenchReport, rtt_ms: float) -> Iterator[str]:
    """The report as a table for people."""
    yield from _table(report.rows, rtt_ms)
    if report.round_trips:
        yield ""
        yield "Round trips after connecting: " + ", ".join(
            f"{one.operation} {_shown(one.size)} {one.count:g}" for one in report.round_trips
        )
    for peak in report.memory:
        yield (
            f"Memory above idle, {peak.operation} of {_shown(peak.size)} streamed: "
            f"client {_mib(peak.client)}, server backend {_mib(peak.backend)}"
        )


def _table(rows: Sequence[Row], rtt_ms: float) -> Iterator[str]:
    head = ["path", "content", "size", "operation", "subject", "median ms", "p99 ms", "MB/s"]
    lines = [[*head, "msg/s", *(["RTT"] if rtt_ms else []), "against"]]
    for row in rows:
        median_ms = row.series.median * 1000
        lines.append(
            [
                row.path, row.content, _shown(row.size), row.operation, row.subject,
                f"{median_ms:.2f}", f"{row.series.p99 * 1000:.2f}",
                f"{row.megabytes_per_second:.1f}", f"{row.messages_per_second:.0f}",
                *([f"{median_ms / rtt_ms:.2f}"] if rtt_ms else []),
                ", ".join(f"{ratio:.2f} x {name}" for name, ratio in row.against.items())
                if row.subject == "bus" else "",
            ]
        )  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(
            text.ljust(width) if place < 5 or place == len(widths) - 1 else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()


def _shown(size: int) -> str:
    for unit, factor in (("MB", 1000**2), ("KB", 1000)):
        if size >= factor and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size:,} B"


def _mib(size: int | None) -> str:
    return "unseen" if size is None else f"{size / 1e6:.1f} MB"


def _of(settings: Settings, dsn: str) -> Settings:
    return settings.model_copy(update={"database_url": SecretStr(dsn)})


@asynccontextmanager
async def _proxied(dsn: str, rtt_seconds: float) -> AsyncIterator[tuple[str, LatencyProxy]]:
    async with LatencyProxy(address_of(dsn), rtt_seconds=rtt_seconds) as proxy:
        yield through(dsn, proxy.address), proxy


async def _round_trips(settings: Settings, dsn: str, clock: SystemClock) -> list[RoundTrips]:
    async with (
        _proxied(dsn, 0) as (led, proxy),
        Bus.connect(_of(settings, led), hop="bench") as bus,
    ):
        counts: list[RoundTrips] = []
        for size in TRIP_SIZES:
            payload = samples.sample("json", size, seed=2)
            counts += await count_round_trips(bus, payload, clock, lambda: proxy.round_trips)
        return counts


async def _memory(dsn: str, size: int, child_args: Sequence[str]) -> list[Memory]:
    with tempfile.NamedTemporaryFile(prefix="busctl-bench-") as file:
        for piece in samples.pieces("json", size, seed=3):
            file.write(piece)
        file.flush()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "busctl", "bench", "--memory-probe", file.name,
            *child_args, env={**os.environ, "DATABASE_URL": dsn},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        answer, errors = await child.communicate()
    if child.returncode != 0:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise StoreFailed(f"The process that measures memory failed: {' '.join(last)}")
    return [
        Memory(one["operation"], one["size_bytes"], one["client_bytes"], one["backend_bytes"])
        for one in json.loads(answer)["memory"]
    ]


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """What is being measured, on a line of its own on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("busctl bench") as status:
        yield status.update
