"""The decisions of retention: a table, and laws that hold for whatever is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core import retention
from busctl.core.retention import Action, Contents, Partition, decide

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
WIDTH = timedelta(hours=6)
DAY = timedelta(days=1)


def partition(
    lower: datetime, parent: str = retention.MESSAGES, *, attached: bool = True
) -> Partition:
    width = DAY if parent == retention.EVENTS else WIDTH
    name = f"{parent}_p{lower:%Y%m%dh%H}"
    return Partition(parent, name, lower, lower + width, -1, 8192, attached)


PAST = partition(NOW.replace(hour=0, minute=0))
CURRENT = partition(NOW.replace(hour=12, minute=0))
SETTLING = partition(NOW - WIDTH - timedelta(minutes=5))
EXPIRED = Contents(expired=True)
MIXED = Contents(expired=True, live=True)
LASTING = Contents(expired=True, live=True, lasting=True)
PINNED = Contents(expired=True, pinned=True)


@pytest.mark.parametrize(
    ("where", "found", "lazy", "eager"),
    [
        pytest.param(PAST, EXPIRED, "drop", "drop", id="all expired"),
        pytest.param(PAST, Contents(), "drop", "drop", id="empty"),
        pytest.param(PAST, MIXED, "wait", "rows", id="the rest goes soon"),
        pytest.param(PAST, LASTING, "rows", "rows", id="the rest stays long"),
        pytest.param(PAST, Contents(live=True), "keep", "keep", id="nothing expired"),
        pytest.param(PAST, PINNED, "rows", "rows", id="pinned among expired"),
        pytest.param(PAST, Contents(pinned=True), "keep", "keep", id="only pinned"),
        pytest.param(CURRENT, EXPIRED, "rows", "rows", id="current, all expired"),
        pytest.param(CURRENT, Contents(), "keep", "keep", id="current, empty"),
        pytest.param(CURRENT, MIXED, "rows", "rows", id="current, mixed"),
        pytest.param(SETTLING, EXPIRED, "rows", "rows", id="just past its upper bound"),
        pytest.param(SETTLING, Contents(), "keep", "keep", id="just past, empty"),
    ],
)
def test_what_becomes_of_a_partition(
    where: Partition, found: Contents, lazy: str, eager: str
) -> None:
    assert decide(where, found, NOW, eager=False).action == lazy
    assert decide(where, found, NOW, eager=True).action == eager


def test_an_interrupted_removal_goes_on() -> None:
    half = partition(PAST.lower, attached=False)
    assert decide(half, Contents(), NOW, eager=False).action is Action.DROP


def test_reasons_name_the_width() -> None:
    assert decide(PAST, MIXED, NOW, eager=False).reason == "all of it expires within 6 hours"
    assert retention.hours(timedelta(hours=1)) == "1 hour"


@st.composite
def contents(draw: st.DrawFn) -> Contents:
    lasting = draw(st.booleans())
    return Contents(
        pinned=draw(st.booleans()),
        expired=draw(st.booleans()),
        live=lasting or draw(st.booleans()),
        lasting=lasting,
    )


starts = st.integers(-400, 8).map(lambda steps: NOW.replace(hour=0, minute=0) + steps * WIDTH)


@given(starts, contents(), st.booleans())
def test_nothing_that_must_stay_is_dropped(lower: datetime, found: Contents, eager: bool) -> None:
    action = decide(partition(lower), found, NOW, eager=eager).action
    if found.pinned or found.live or lower + WIDTH > NOW:
        assert action is not Action.DROP
    if not found.expired:
        assert action in {Action.KEEP, Action.DROP}
    if action is Action.WAIT:
        assert not eager and found.expired and not found.lasting
    if action is Action.KEEP:
        assert not found.expired


@given(st.lists(starts, unique=True), st.lists(starts, unique=True))
def test_chunks_go_only_without_messages_of_their_time(
    messages: list[datetime], chunks: list[datetime]
) -> None:
    there = [partition(one) for one in messages]
    there += [partition(one, retention.CHUNKS) for one in chunks]
    gone = {one.lower for one in retention.orphan_chunks(there, NOW)}
    assert gone == {one for one in chunks if one not in messages and one + WIDTH < NOW}


@given(st.lists(starts, unique=True), st.integers(1, 60))
def test_events_stay_for_their_messages_and_their_days(messages: list[datetime], days: int) -> None:
    begins = [NOW.replace(hour=0, minute=0) - one * DAY for one in range(90)]
    there = [partition(one) for one in messages]
    there += [partition(one, retention.EVENTS) for one in begins]
    gone = retention.old_events(there, NOW, days * DAY)
    for day in gone:
        assert day.upper <= NOW - days * DAY
        assert not any(day.lower <= one < day.upper for one in messages)
    assert len(gone) == sum(
        1
        for one in begins
        if one + DAY <= NOW - days * DAY and not any(one <= each < one + DAY for each in messages)
    )


def test_half_detached_chunks_and_events_are_finished() -> None:
    there = [CURRENT] + [
        partition(CURRENT.lower, parent, attached=False)
        for parent in (retention.CHUNKS, retention.EVENTS)
    ]
    assert retention.orphan_chunks(there, NOW) == [there[1]]
    assert retention.old_events(there, NOW, DAY) == [there[2]]


def test_chunks_leave_with_their_messages() -> None:
    chunk = partition(PAST.lower, retention.CHUNKS)
    other = partition(CURRENT.lower, retention.CHUNKS)
    assert retention.companions(PAST, [other, chunk, PAST, CURRENT]) == [chunk]
