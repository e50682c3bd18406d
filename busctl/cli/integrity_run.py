"""Puts an integrity test together: its daemon, clients and paths; and prints its report."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from busctl.adapters import tokenfile
from busctl.adapters.clock import SystemClock
from busctl.adapters.http_redemption import HttpRedemption
from busctl.adapters.websocket import BusClient
from busctl.cli.lists import names_of, sizes_of
from busctl.cli.own_daemon import own_daemon
from busctl.cli.progress import Bar
from busctl.connect import Bus
from busctl.core.comparison import Case, Comparison, Verdict
from busctl.core.configuration.settings import Settings, canonical_name
from busctl.core.errors import BusctlError, ConfigurationError
from busctl.core.samples import KINDS
from busctl.core.sizes import parse_size, show_size
from busctl.ops import integrity as op
from busctl.ops.integrity.report import reason_of

PATHS = ("store", "websocket", "claim", "http")
CODINGS = ("identity", "zstd")
COULD_NOT_LOOK = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for; `bound` is the largest size of --find-max in bytes, None
    without it, and `bound_why` what sets it."""

    plan: op.Plan
    paths: Sequence[str]
    url: str | None
    bound: int | None
    bound_why: str


def wanted_of(
    settings: Settings, *, sizes: str | None, default_sizes: str, contents: str, paths: str,
    concurrency: int, keep: bool, url: str | None, find_max: bool, max_bytes: str | None,
) -> Wanted:  # fmt: skip
    """Raises ConfigurationError for what it cannot read, or a size over the configured maximum."""
    most = settings.max_payload_bytes
    chosen = _defaults(default_sizes, most) if sizes is None else sizes_of(sizes)
    if chosen[-1] > most:
        raise ConfigurationError(
            f"--sizes: {show_size(chosen[-1])} is over the largest payload, {show_size(most)}.",
            remedy="Raise MESSAGE_BUS_MAX_PAYLOAD_MB, here with --set for this run alone.",
        )
    if max_bytes is not None and not find_max:
        raise ConfigurationError("--max-bytes is for --find-max.")
    plan = op.Plan(chosen, names_of(contents, KINDS, "--contents"), concurrency, keep,
                   first_seed=secrets.randbelow(1 << 40))  # fmt: skip
    bound, why = _bound(settings, max_bytes)
    return Wanted(plan, names_of(paths, PATHS, "--paths"), url, bound if find_max else None, why)


def _defaults(sizes: str, most: int) -> list[int]:
    """Those that the bus takes here, and the largest it takes in place of the others."""
    taken = [one for one in sizes_of(sizes) if one <= most]
    return taken if len(taken) == len(sizes_of(sizes)) else sorted({*taken, most})


def _bound(settings: Settings, max_bytes: str | None) -> tuple[int, str]:
    most = settings.max_payload_bytes
    if max_bytes is not None and (asked := parse_size(max_bytes)) < most:
        return asked, f"--max-bytes ({show_size(asked)})"
    return most, f"the configured maximum, MESSAGE_BUS_MAX_PAYLOAD_MB ({show_size(most)})"


async def measure(
    settings: Settings, wanted: Wanted, *, quiet: bool
) -> tuple[op.IntegrityReport, int]:
    """The report, and how many test messages are left in the store."""
    async with AsyncExitStack() as stack:
        bus, no_store = await _entered(stack, _bus(settings, wanted))
        bar = stack.enter_context(Bar("test-integrity", wanted=not quiet))
        comparer = op.Comparer(wanted.plan, bus, lambda one: bar.add(one.case.size))
        made, reasons = await _paths(stack, settings, wanted, bus, no_store)
        bar.total = comparer.planned() * (len(made) + len(reasons))
        rows = [row for name, why in reasons.items() for row in comparer.not_tried(name, why)]
        limits = []
        for path in made:
            rows += await comparer.test(path)
        if wanted.bound is not None:
            limits = [await _limit(comparer, path, wanted) for path in made]
        return op.IntegrityReport(rows, limits), comparer.left_behind


@asynccontextmanager
async def _bus(settings: Settings, wanted: Wanted) -> AsyncIterator[Bus | None]:
    """The store's bus; with --url it is only needed for the store path, or to look things up."""
    if wanted.url is not None and "store" not in wanted.paths and settings.database_url is None:
        yield None
        return
    async with Bus.connect(settings, hop="test-integrity") as bus:
        yield bus


async def _paths(
    stack: AsyncExitStack, settings: Settings, wanted: Wanted, bus: Bus | None, no_store: str
) -> tuple[list[op.Path], dict[str, str]]:
    """The paths that can be taken, and why the others cannot."""
    made: list[op.Path] = []
    reasons: dict[str, str] = {}
    clock = SystemClock()
    if "store" in wanted.paths:
        if bus is None:
            reasons["store"] = no_store
        else:
            made.append(op.StorePath(bus, clock))
    through_daemon = [name for name in wanted.paths if name != "store"]
    if through_daemon:
        daemon, why = await _entered(stack, _daemon_paths(settings, wanted, clock))
        if daemon is None:
            reasons |= {name: why for each in through_daemon for name in _names_of_path(each)}
        else:
            made += [daemon[name] for each in through_daemon for name in _names_of_path(each)]
    return made, reasons


def _names_of_path(name: str) -> list[str]:
    return [f"http {coding}" for coding in CODINGS] if name == "http" else [name]


Entered = TypeVar("Entered")


async def _entered(
    stack: AsyncExitStack, block: AbstractAsyncContextManager[Entered]
) -> tuple[Entered | None, str]:
    """Enter a block; when what it needs is away, why."""
    try:
        return await stack.enter_async_context(block), ""
    except BusctlError as error:
        if error.exit_code != COULD_NOT_LOOK:
            raise
        return None, f"{error.code}: {error.message}"


@asynccontextmanager
async def _daemon_paths(
    settings: Settings, wanted: Wanted, clock: SystemClock
) -> AsyncIterator[dict[str, op.Path]]:
    async with AsyncExitStack() as stack:
        url, token = await stack.enter_async_context(_daemon(settings, wanted))
        claims = await stack.enter_async_context(BusClient.connect(url, token))
        whole = await stack.enter_async_context(BusClient.connect(url, token, accepts_claims=False))
        http = await stack.enter_async_context(HttpRedemption.connect(url, token))
        paths: list[op.Path] = [
            op.WebsocketPath(whole, claims, clock), op.ClaimPath(claims, clock),
            *(op.HttpPath(claims, http, coding, clock) for coding in CODINGS),
        ]  # fmt: skip
        yield {path.name: path for path in paths}


@asynccontextmanager
async def _daemon(settings: Settings, wanted: Wanted) -> AsyncIterator[tuple[str, str]]:
    """Address (http or https) and token of the daemon to test."""
    if wanted.url is not None:
        url = wanted.url.replace("ws://", "http://", 1).replace("wss://", "https://", 1)
        yield url, tokenfile.read(settings)
        return
    limits = {
        canonical_name(field): str(max(getattr(settings, field), wanted.plan.concurrency))
        for field in ("max_inflight", "max_inflight_per_provider", "max_inflight_per_session")
    }
    async with own_daemon(settings, limits) as place:
        yield place


async def _limit(comparer: op.Comparer, path: op.Path, wanted: Wanted) -> op.Limit:
    kind = wanted.plan.kinds[0]
    seeds = iter(range(wanted.plan.first_seed + (1 << 40), 1 << 62))

    async def attempt(size: int) -> Comparison:
        return await comparer.compare(path, Case(kind, size, next(seeds)), 1)

    bound = wanted.bound or 0
    return await op.find_limit(path.name, wanted.plan.sizes[-1], bound, wanted.bound_why, attempt)


# --- printing ----------------------------------------------------------------------------------

HEAD = ("path", "content", "size", "stored", "ratio", "put ms", "get ms", "alone", "at once")
LINE = "{:<14} {:<11} {:>12} {:>12} {:>6} {:>8} {:>8}  {:<10} {}"


def lines_of(report: op.IntegrityReport, *, only_wrong: bool) -> Iterator[str]:
    """The report for people: a line for each path, content and size, then what was found."""
    if not only_wrong:
        yield LINE.format(*HEAD).rstrip()
        places: dict[tuple[str, str, int], list[Comparison]] = {}
        for one in report.comparisons:
            places.setdefault((one.path, one.case.kind, one.case.size), []).append(one)
        yield from map(_line, places.values())
        yield from _notes(report)
    for finding in report.report.findings:
        yield f"WRONG  {finding.subject}: {finding.message}"
    for path, each in groupby(report.not_tried, lambda one: one.path):
        untried = list(each)
        yield f"not tried  {path}, {len(untried):,} comparisons: {untried[0].note}"
    for limit in report.limits:
        yield (
            f"largest  {limit.path}: {show_size(limit.largest_bytes)}, stopped by {limit.why}"
            + ("" if limit.failed_bytes is None else f" at {show_size(limit.failed_bytes)}")
        )
    yield report.summary()


def _notes(report: op.IntegrityReport) -> Iterator[str]:
    passed = [one for one in report.comparisons if one.verdict is Verdict.IDENTICAL and one.note]
    for note in dict.fromkeys(one.note for one in passed):
        count = sum(one.note == note for one in passed)
        yield f"* {count:,} comparisons: {note}"


def _line(rows: Sequence[Comparison]) -> str:
    alone = [row for row in rows if row.alone]
    together = [row for row in rows if not row.alone]
    first = (alone or together)[0]
    ratio = (
        f"{first.stored_size / first.case.size:.2f}"
        if first.stored_size is not None and first.case.size
        else "-"
    )
    return LINE.format(
        first.path, first.case.kind, show_size(first.case.size),
        "-" if first.stored_size is None else f"{first.stored_size:,}", ratio,
        _ms(first.put_ms), _ms(first.get_ms), _verdict(alone), _verdict(together),
    ).rstrip()  # fmt: skip


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _verdict(rows: Sequence[Comparison]) -> str:
    """The worst of them; * where there is a note."""
    order = [Verdict.DIFFERENT, Verdict.FAILED, Verdict.NOT_TRIED, Verdict.IDENTICAL]
    found = {row.verdict for row in rows}
    worst = next((each for each in order if each in found), None)
    if worst is None:
        return "-"
    times = f" ×{len(rows)}" if len(rows) > 1 else ""
    return f"{worst.value}{times}{'*' if any(map(reason_of, rows)) else ''}"
