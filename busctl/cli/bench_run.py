"""The parts of `busctl bench` that load libraries: store, proxy, daemon, probe process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from busctl.adapters.child import send_signal
from busctl.adapters.clock import SystemClock
from busctl.adapters.http_redemption import HttpRedemption
from busctl.adapters.latency_proxy import LatencyProxy
from busctl.adapters.memory import Watch
from busctl.adapters.postgres.baselines import JsonbTable, RawTable, Scratch
from busctl.adapters.postgres.proxied import address_of, through
from busctl.adapters.websocket import BusClient
from busctl.cli.lists import names_of, sizes_of
from busctl.cli.own_daemon import own_daemon
from busctl.connect import Bus, open_store, store_dsn
from busctl.core import samples
from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError, StoreFailed
from busctl.ops.bench import calls, prepared
from busctl.ops.bench import run as op
from busctl.ops.bench.memory import measure_memory
from busctl.ops.bench.report import BenchReport, Memory, RoundTrips
from busctl.ops.bench.subjects import Subject
from busctl.ops.bench.trips import count_round_trips

BASELINES = ("raw", "jsonb", "none")
TRIP_SIZES = (1_000, 10_000_000)
ALL_BY_CLAIM = {"MESSAGE_BUS_INLINE_MAX_BYTES": "0"}
"""Small answers too, else they would come whole on every path."""


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
        sizes=_positive(sizes_of(sizes)),
        contents=names_of(contents, samples.KINDS, "--contents"),
        paths=names_of(paths, op.PATHS, "--paths"),
        repeat=repeat,
        quick=quick,
    )


def _positive(sizes: list[int]) -> list[int]:
    if sizes[0] == 0:
        raise ConfigurationError("--sizes: 0 bytes take no time worth comparing.")
    return sizes


async def measure(
    settings: Settings, wanted: Wanted, child_args: Sequence[str]
) -> tuple[BenchReport, str]:
    """The report, and which kind of store it is of: "embedded" or "configured"."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        dsn, is_embedded = await stack.enter_async_context(store_dsn(settings))
        # Migrates the embedded store, and says what a configured one lacks.
        cleaner = await stack.enter_async_context(Bus.connect(settings, hop="bench"))
        led = dsn
        if wanted.rtt_ms:
            led, _ = await stack.enter_async_context(_proxied(dsn, wanted.rtt_ms / 1000))
        bus = await stack.enter_async_context(Bus.connect(_of(settings, led), hop="bench"))
        scratch = Scratch(led, connect_timeout=settings.connect_timeout_secs)
        pool = (await stack.enter_async_context(scratch)).pool
        kinds: dict[str, type[RawTable]] = {"raw": RawTable, "jsonb": JsonbTable}
        subjects: list[Subject] = [kinds[name](pool) for name in wanted.baselines if name in kinds]
        ways = await stack.enter_async_context(
            _ways(_of(settings, led), wanted.plan.paths, cleaner)
        )
        with _telling() as step:
            report = await op.bench(bus, cleaner, subjects, ways, wanted.plan, clock, step)
            if "store" in wanted.plan.paths:
                step("round trips")
                report.round_trips += await _round_trips(settings, dsn, clock)
                if wanted.memory:
                    step("memory")
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


def _of(settings: Settings, dsn: str) -> Settings:
    return settings.model_copy(update={"database_url": SecretStr(dsn)})


@asynccontextmanager
async def _ways(
    settings: Settings, paths: Sequence[op.Path], cleaner: Bus
) -> AsyncIterator[Mapping[str, calls.Way]]:
    """The ways that were asked for, by way of a daemon of our own; its answers are removed when
    it has stopped, for until then it may store another."""
    chosen = [one for one in paths if one in op.THROUGH_DAEMON]
    if not chosen:
        yield {}
        return
    sessions: list[str] = []
    try:
        async with AsyncExitStack() as stack:
            url, token = await stack.enter_async_context(
                own_daemon(settings, ALL_BY_CLAIM, "--tools", prepared.SPEC)
            )
            claims = await stack.enter_async_context(BusClient.connect(url, token))
            whole = await stack.enter_async_context(
                BusClient.connect(url, token, accepts_claims=False)
            )
            http = await stack.enter_async_context(HttpRedemption.connect(url, token))
            sessions += [claims.session_id, whole.session_id]
            made = calls.ways(claims, whole, http)
            yield {name: made[name] for name in chosen}
    finally:
        await calls.remove_answers(cleaner, sessions)


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
        try:
            answer, errors = await child.communicate()
        finally:
            await _end(child)
    if child.returncode != 0:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise StoreFailed(f"The process that measures memory failed: {' '.join(last)}")
    return [
        Memory(one["operation"], one["size_bytes"], one["client_bytes"], one["backend_bytes"])
        for one in json.loads(answer)["memory"]
    ]


async def _end(child: asyncio.subprocess.Process) -> None:
    """Tell a child that still runs to clean up and leave, as Ctrl-C tells us."""
    send_signal(child, signal.SIGINT)
    await child.wait()


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """What is being measured, on a line of its own on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("busctl bench") as status:
        yield status.update
