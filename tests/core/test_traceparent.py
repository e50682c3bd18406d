"""https://www.w3.org/TR/trace-context/ §3.2: what is a traceparent, and what is to be ignored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.traceparent import (
    TraceParent,
    parse_traceparent,
    traceparent_in,
    with_traceparent,
)

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{PARENT}-01"


def test_the_recommendations_own_examples() -> None:
    assert parse_traceparent(GOOD) == TraceParent(TRACE, PARENT, 1)
    sampled = parse_traceparent(GOOD)
    unsampled = parse_traceparent(f"00-{TRACE}-{PARENT}-00")
    assert sampled and sampled.is_sampled and unsampled and not unsampled.is_sampled
    assert str(sampled) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "", "00", GOOD.upper(), GOOD + "-", GOOD + "-more", GOOD + " ", " " + GOOD, GOOD + "\n",
        f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01", f"00-{TRACE}-{PARENT}0-01", f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-0g", f"0-{TRACE}-{PARENT}-01", f"00_{TRACE}_{PARENT}_01",
        f"01-{TRACE}-{PARENT}-01more", f"00-{TRACE[:-1]}٣-{PARENT}-01",
    ],
)  # fmt: skip
def test_what_is_to_be_ignored(text: str) -> None:
    assert parse_traceparent(text) is None


@pytest.mark.parametrize("text", [f"01-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-ff-what-else"])
def test_a_later_version_is_read_as_far_as_this_one_goes(text: str) -> None:
    assert parse_traceparent(text) == TraceParent(TRACE, PARENT, 1)
    assert traceparent_in({"traceparent": text}) == GOOD


@given(st.integers(1, (1 << 128) - 1), st.integers(1, (1 << 64) - 1), st.integers(0, 255))
def test_what_is_written_is_read(trace: int, parent: int, flags: int) -> None:
    one = TraceParent(f"{trace:032x}", f"{parent:016x}", flags)
    assert parse_traceparent(str(one)) == one
    assert len(str(one)) == 55


def test_it_is_found_among_other_fields_and_put_there() -> None:
    assert traceparent_in({"traceparent": GOOD, "tracestate": "a=b"}) == GOOD
    for fields in ({}, {"traceparent": 5}, {"traceparent": None}, {"traceparent": "x"}):
        assert traceparent_in(fields) is None
    meta = {"progressToken": 7, "traceparent": GOOD}
    other = f"00-{TRACE}-{'1' * 16}-00"
    assert with_traceparent(meta, other) == {"progressToken": 7, "traceparent": other}
    assert with_traceparent(meta, None) == meta and meta["traceparent"] == GOOD
