"""The integrity test finds what is wrong with a path: it must be able to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from busctl.adapters.clock import SystemClock
from busctl.connect import Bus
from busctl.core.comparison import Case, Comparison, Difference, Verdict
from busctl.core.errors import (
    BusctlError,
    CallFailed,
    MessageCorrupt,
    MessageMissing,
    StoreUnreachable,
)
from busctl.core.samples import sample
from busctl.ops.integrity import (
    Comparer,
    IntegrityReport,
    Limit,
    Plan,
    Sent,
    StorePath,
    find_limit,
)

PLAN = Plan(sizes=(1_000, 2_500_000), kinds=("json", "hostile"), concurrency=8)


class Damaging:
    """The store path with something wrong on the way back."""

    name = "damaging"

    def __init__(self, bus: Bus, damage: Callable[[bytes], bytes]) -> None:
        self._path = StorePath(bus, SystemClock())
        self._damage = damage

    async def send(self, case: Case, expected: bytes) -> Sent:
        sent = await self._path.send(case, expected)
        return Sent(sent.transaction_id, self._damage(sent.payload), sent.put_ms, sent.get_ms)


class Swapping:
    """Two answers that are on their way at once are given to the wrong requests."""

    name = "swapping"

    def __init__(self, bus: Bus) -> None:
        self._path = StorePath(bus, SystemClock())
        self._waiting: tuple[Sent, asyncio.Future[Sent]] | None = None

    async def send(self, case: Case, expected: bytes) -> Sent:
        sent = await self._path.send(case, expected)
        if self._waiting is None:
            self._waiting = sent, asyncio.get_running_loop().create_future()
            return await self._waiting[1]
        (other, first), self._waiting = self._waiting, None
        first.set_result(sent)
        return other


class Failing:
    name = "failing"

    def __init__(self, error: BusctlError) -> None:
        self._error = error

    async def send(self, case: Case, expected: bytes) -> Sent:
        raise self._error


def _comparer(bus: Bus | None, plan: Plan = PLAN) -> Comparer:
    return Comparer(plan, bus, lambda _: None)


async def test_a_path_that_keeps_every_byte(bus: Bus) -> None:
    comparer = _comparer(bus)
    rows = await comparer.test(StorePath(bus, SystemClock()))
    report = IntegrityReport(rows)
    assert (report.exit_code, report.report.checked) == (0, 12)
    assert report.summary() == "12 comparisons, 15,006,000 bytes identical."
    assert {row.concurrency for row in rows} == {1, 8}
    assert len({row.case.seed for row in rows}) == 12
    assert all(row.put_ms and row.get_ms and row.stored_size for row in rows)
    assert await bus.list() == []
    assert comparer.left_behind == 0


async def test_messages_are_kept_on_request(bus: Bus) -> None:
    comparer = _comparer(bus, Plan((1_000,), ("json",), 1, keep=True))
    await comparer.test(StorePath(bus, SystemClock()))
    assert len(await bus.list()) == comparer.left_behind == 1


@pytest.mark.parametrize(
    ("damage", "offset", "got"),
    [
        (lambda raw: raw[:700] + bytes([raw[700] ^ 1]) + raw[701:], 700, None),
        (lambda raw: raw[:-1], -1, -1),
        (lambda raw: raw + b"\n", 0, 1),
        (lambda raw: raw.replace(b"\x00", b""), None, None),
    ],
    ids=["a bit", "one byte short", "one byte more", "NUL dropped"],
)
async def test_a_path_that_changes_bytes(
    bus: Bus, damage: Callable[[bytes], bytes], offset: int | None, got: int | None
) -> None:
    plan = Plan((2_000_000,), ("hostile",), 1)
    (row,) = await _comparer(bus, plan).test(Damaging(bus, damage))
    report = IntegrityReport([row])
    assert (row.verdict, report.exit_code) == (Verdict.DIFFERENT, 1)
    assert row.difference is not None
    if offset is not None:
        expected = 700 if offset == 700 else 2_000_000 + offset
        assert row.difference.offset == expected
        assert row.difference.got_size == 2_000_000 + (got or 0)
    (finding,) = report.report.findings
    assert str(row.transaction_id) in finding.subject
    assert f"first difference at byte {row.difference.offset:,}" in finding.message
    assert len(await bus.list()) == 1, "what is wrong stays, to be looked at"


async def test_answers_given_to_the_wrong_requests(bus: Bus) -> None:
    """Same size, same kind, both undamaged: only the seeds tell them apart."""
    comparer = _comparer(bus, Plan((5_000,), ("json",), 2))
    path = Swapping(bus)
    rows = await asyncio.gather(
        *(comparer.compare(path, Case("json", 5_000, seed), 2) for seed in (1, 2))
    )
    assert [row.verdict for row in rows] == [Verdict.DIFFERENT] * 2


@pytest.mark.parametrize(
    ("error", "verdict", "exit_code"),
    [
        (MessageCorrupt("chunk 3 …", transaction_id=UUID(int=7)), Verdict.FAILED, 1),
        (MessageMissing("gone"), Verdict.FAILED, 1),
        (CallFailed("fell over", code="EXEC_ERROR"), Verdict.FAILED, 1),
        (CallFailed("no store", code="STORE_UNAVAILABLE"), Verdict.NOT_TRIED, 3),
        (CallFailed("slow", code="TIMEOUT"), Verdict.NOT_TRIED, 3),
        (StoreUnreachable("away"), Verdict.NOT_TRIED, 3),
    ],
)
async def test_errors_of_a_path(error: BusctlError, verdict: Verdict, exit_code: int) -> None:
    rows = await _comparer(None).test(Failing(error))
    assert {row.verdict for row in rows} == {verdict}
    assert all(error.message in row.note for row in rows)
    assert IntegrityReport(rows).exit_code == exit_code


async def test_not_tried_is_never_a_pass(bus: Bus) -> None:
    comparer = _comparer(bus, Plan((1_000,), ("json",), 1))
    good = await comparer.test(StorePath(bus, SystemClock()))
    untried = comparer.not_tried("claim", "no daemon answered")
    assert IntegrityReport(good).exit_code == 0
    assert IntegrityReport(good + untried).exit_code == 3
    assert IntegrityReport(untried).exit_code == 3
    assert IntegrityReport([]).exit_code == 3
    assert untried[0].shape()["note"] == "no daemon answered"


async def test_a_busy_daemon_is_asked_again(bus: Bus) -> None:
    class Busy(Damaging):
        refusals = 3

        async def send(self, case: Case, expected: bytes) -> Sent:
            if self.refusals:
                self.refusals -= 1
                raise CallFailed("full", code="OVER_CAPACITY", retry_after=0.01)
            return await super().send(case, expected)

    (row,) = await _comparer(bus, Plan((1_000,), ("json",), 1)).test(Busy(bus, lambda raw: raw))
    assert row.verdict is Verdict.IDENTICAL


def _attempt(
    carries: Callable[[int], bool], asked: list[int], note: str = ""
) -> Callable[[int], Awaitable[Comparison]]:
    async def attempt(size: int) -> Comparison:
        asked.append(size)
        case = Case("json", size, 0)
        if carries(size):
            return Comparison("p", case, 1, Verdict.IDENTICAL)
        if note:
            return Comparison("p", case, 1, Verdict.FAILED, note=note)
        return Comparison("p", case, 1, Verdict.DIFFERENT, difference=Difference(5, size, size))

    return attempt


async def test_the_largest_size_is_the_bound_when_nothing_stops_it() -> None:
    asked: list[int] = []
    limit = await find_limit("p", 10, 100, "the maximum", _attempt(lambda _: True, asked))
    assert asked == [10, 20, 40, 80, 100]
    assert limit == Limit("p", 100, None, "the maximum")


async def test_the_largest_size_is_narrowed_down() -> None:
    asked: list[int] = []
    attempt = _attempt(lambda size: size < 55_000, asked, "TOO_LARGE: no")
    limit = await find_limit("p", 1_000, 1_000_000, "the maximum", attempt)
    assert limit.largest_bytes < 55_000 <= (limit.failed_bytes or 0)
    assert (limit.failed_bytes or 0) - limit.largest_bytes <= limit.largest_bytes / 16
    assert (limit.why, limit.is_wrong) == ("TOO_LARGE: no", False)


async def test_a_first_size_that_fails_has_no_largest() -> None:
    attempt = _attempt(lambda _: False, [], "TOO_LARGE: no")
    limit = await find_limit("p", 1_000, 10_000, "the maximum", attempt)
    assert (limit.largest_bytes, limit.failed_bytes) == (0, 1_000)


async def test_different_bytes_are_a_fault_and_no_limit() -> None:
    attempt = _attempt(lambda size: size < 3_000, [])
    limit = await find_limit("p", 1_000, 10_000, "the maximum", attempt)
    assert limit.is_wrong
    assert "first difference at byte 5" in limit.why
    good = Comparison("p", Case("json", 1, 0), 1, Verdict.IDENTICAL)
    assert IntegrityReport([good], [limit]).exit_code == 1


async def test_memory_that_runs_out_is_said() -> None:
    async def attempt(size: int) -> Comparison:
        if size > 20:
            raise MemoryError
        return Comparison("p", Case("json", size, 0), 1, Verdict.IDENTICAL)

    limit = await find_limit("p", 10, 100, "the maximum", attempt)
    assert limit.largest_bytes == 20
    assert limit.why.startswith("memory")


def test_samples_of_other_seeds_differ() -> None:
    """What the search for swapped answers stands on; zeros alone are all alike."""
    for kind in ("json", "random", "hostile", "surrogates", "compressed", "text"):
        assert sample(kind, 1_000, 1) != sample(kind, 1_000, 2)
