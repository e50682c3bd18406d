"""Hysteresis: raised once after it has lasted, cleared once after it has stayed away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busctl.core.operating.alert import Alert, Change, Key, Patience, Told, evaluate, merged
from busctl.core.operating.health import Fault, Grade, Health, Kind, Seen, judge

NOW = datetime(2026, 11, 27, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KINDS = {
    "disk.full": Kind("free it", local=True), "disk.unknown": Kind("look", local=True),
    "cron.failed": Kind("mend it"), "cron.unknown": Kind("look", local=True),
    "connection.unreachable": Kind("connect", local=True),
}  # fmt: skip
PATIENCE = Patience(3, 10 * MINUTE, 2, 10 * MINUTE)


def health(
    *faults: Fault, checks: Sequence[str] = ("disk", "cron"), reached: bool = True
) -> Health:
    return Health(
        tuple(
            judge(
                name, Seen("", faults=[one for one in faults if one.kind.startswith(name)]), KINDS
            )
            for name in checks
        ),
        reached=reached,
    )


def fault(kind: str = "disk.full", grade: Grade = Grade.WARNING, subject: str = "/") -> Fault:
    return Fault(kind, grade, "It is.", subject)


class Story:
    """Looks one minute apart, and what was told at which."""

    def __init__(self, patience: Patience = PATIENCE) -> None:
        self.alerts: list[Alert] = []
        self.now = NOW
        self.patience = patience

    def look(self, *faults: Fault, host: str = "here", **more: object) -> list[str]:
        self.now += MINUTE
        seen = health(*faults, **more)  # type: ignore[arg-type]  # checks and reached
        self.alerts, told = evaluate(self.alerts, seen, KINDS, host, self.now, self.patience)
        return [_said(one) for one in told]


def _said(one: Told) -> str:
    return f"{one.change.value} {one.alert.key.kind}"


def test_it_is_raised_after_so_many_looks_and_cleared_after_so_many() -> None:
    story = Story()
    told = [story.look(fault()) for _ in range(6)]
    assert told == [[], [], ["raised disk.full"], [], [], []]
    assert [story.look() for _ in range(4)] == [[], ["cleared disk.full"], [], []]
    assert story.alerts == []


def test_what_comes_and_goes_is_not_raised() -> None:
    story = Story()
    for _ in range(10):
        assert story.look(fault()) == story.look(fault()) == story.look() == []


def test_what_is_raised_and_comes_and_goes_is_not_cleared() -> None:
    story = Story(Patience(1, 10 * MINUTE, 2, 10 * MINUTE))
    assert story.look(fault()) == ["raised disk.full"]
    for _ in range(10):
        assert story.look() == story.look(fault()) == []


def test_seconds_count_where_looks_are_rare() -> None:
    story = Story(Patience(99, 3 * MINUTE, 99, 3 * MINUTE))
    assert [bool(story.look(fault())) for _ in range(5)] == [False, False, False, True, False]
    assert [bool(story.look()) for _ in range(5)] == [False, False, False, True, False]


def test_worse_is_told_once() -> None:
    story = Story(Patience(1, MINUTE, 1, MINUTE))
    critical = fault(grade=Grade.CRITICAL)
    assert story.look(fault()) == ["raised disk.full"]
    assert story.look(critical) == ["worsened disk.full"]
    assert story.look(critical) == []
    assert story.look() == ["cleared disk.full"]


def test_a_look_that_could_not_be_made_counts_as_neither() -> None:
    story = Story(Patience(1, MINUTE, 1, MINUTE))
    story.look(fault("cron.failed"))
    blind = fault("cron.unknown", Grade.UNKNOWN)
    assert story.look(blind) == ["raised cron.unknown"]
    assert {one.key.kind for one in story.alerts} == {"cron.failed", "cron.unknown"}
    assert story.look(checks=["disk"]) == []
    assert sorted(story.look()) == ["cleared cron.failed", "cleared cron.unknown"]


def test_without_the_store_only_the_connection_is_judged() -> None:
    story = Story(Patience(1, MINUTE, 1, MINUTE))
    story.look(fault("cron.failed"))
    away = fault("connection.unreachable", Grade.CRITICAL)
    every = ("connection", "disk", "cron")
    blind = fault("cron.unknown", Grade.UNKNOWN)
    assert story.look(away, blind, checks=every, reached=False) == ["raised connection.unreachable"]
    assert len(story.alerts) == 2
    assert story.look(fault("cron.failed"), checks=every) == ["cleared connection.unreachable"]


def test_each_machine_clears_its_own_and_all_clear_what_is_shared() -> None:
    story = Story(Patience(1, MINUTE, 1, MINUTE))
    story.look(fault(), fault("cron.failed"), host="one")
    assert story.look(host="two") == ["cleared cron.failed"]
    assert story.look(fault(), host="two") == ["raised disk.full"]
    assert story.look(host="one") == ["cleared disk.full"]
    assert [one.key.host for one in story.alerts] == ["two"]


def test_what_one_machine_raised_while_the_store_was_away_is_not_raised_again() -> None:
    def alert(raised: bool) -> Alert:
        at = NOW if raised else None
        return Alert(Key("a.b", "s", "h"), Grade.WARNING, "m", "r", NOW, NOW, at, 1)

    assert merged([], [alert(True)]) == merged([alert(False)], [alert(True)]) == [alert(True)]
    assert merged([alert(True)], [alert(False)]) == [alert(True)]


@pytest.mark.parametrize("looks", [1, 2, 5])
@given(bad=st.lists(st.booleans(), max_size=60))
@settings(deadline=None)
def test_raised_and_cleared_take_turns(looks: int, bad: list[bool]) -> None:
    story = Story(Patience(looks, timedelta(days=9), looks, timedelta(days=9)))
    told = [said for one in bad for said in (story.look(fault()) if one else story.look())]
    expected = ["raised disk.full", "cleared disk.full"] * len(told)
    assert told == expected[: len(told)]
    assert Change.RAISED.value == "raised"
