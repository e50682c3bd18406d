"""Durations and moments as typed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.durations import EPOCH, parse_duration, parse_moment, show_duration
from busctl.core.errors import ConfigurationError

NOW = datetime(2026, 11, 22, 18, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90), ("90m", 5_400), ("48h", 172_800), ("2d", 172_800), ("1w", 604_800),
        ("1d12h", 129_600), ("1.5h", 5_400), (" 2D ", 172_800), ("0.5s", 0.5),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "48", "h", "2 days", "-2h", "1e3s", "0s", "9999w", "1h-", "²h", "9" * 400 + "s"]
)
def test_what_is_no_duration_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--ttl") as caught:
        parse_duration(text, "--ttl")
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["0s", "0.0000001s", "3651d"])
def test_the_bounds_that_are_told_hold(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not over 0 and at most 3,650 days"):
        parse_duration(text, "--ttl")
    assert parse_duration("0.001s") == timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("2026-11-22", datetime(2026, 11, 21, 23, tzinfo=UTC)),
        ("2026-11-22T18:00", NOW),
        ("2026-11-22T17:00Z", NOW),
        ("2026-11-22T18:00:00+01:00", NOW),
        ("9999w", EPOCH),
        ("9" * 400 + "d", EPOCH),
        ("1066-10-14", EPOCH),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "12"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--since"):
        parse_moment(text, NOW, "--since")


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (timedelta(0), "0s"), (timedelta(milliseconds=900), "0s"), (timedelta(seconds=61), "1m 1s"),
        (timedelta(hours=48), "2d"), (timedelta(days=1, hours=23, minutes=59), "1d 23h"),
        (timedelta(days=1, minutes=5), "1d"), (-timedelta(minutes=5), "-5m"),
    ],
)  # fmt: skip
def test_the_two_largest_units_are_shown(duration: timedelta, shown: str) -> None:
    assert show_duration(duration) == shown


@given(st.integers(min_value=1, max_value=10_000))
def test_what_is_shown_can_be_typed(minutes: int) -> None:
    shown = show_duration(timedelta(minutes=minutes)).replace(" ", "")
    assert timedelta(0) <= timedelta(minutes=minutes) - parse_duration(shown) < timedelta(hours=1)
