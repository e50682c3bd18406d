"""Grades: thresholds both ways, the worst of several, exits, and names that are not there."""

from __future__ import annotations

import pytest

from busctl.core.errors import ConfigurationError
from busctl.core.operating.health import (
    Fault,
    Grade,
    Health,
    Judgement,
    Kind,
    Measure,
    Seen,
    Threshold,
    judge,
    with_thresholds,
    worst,
)

HIGH = Threshold(10, 20, "s")
LOW = Threshold(10, 5, low=True)
KINDS = {"a.high": Kind("lower it", HIGH), "a.low": Kind("raise it", LOW), "a.fault": Kind("mend")}


@pytest.mark.parametrize(
    ("threshold", "value", "grade"),
    [
        (HIGH, 9.99, Grade.OK), (HIGH, 10, Grade.WARNING), (HIGH, 20, Grade.CRITICAL),
        (LOW, 10, Grade.OK), (LOW, 9.99, Grade.WARNING), (LOW, 4.9, Grade.CRITICAL),
        (Threshold(), 1e300, Grade.OK), (Threshold(None, 3), 3, Grade.CRITICAL),
        (HIGH, float("nan"), Grade.UNKNOWN),
    ],
)  # fmt: skip
def test_a_value_is_graded(threshold: Threshold, value: float, grade: Grade) -> None:
    assert threshold.grade(value) is grade


def test_findings_say_what_was_measured_and_what_to_do() -> None:
    seen = Seen(
        "seen", (Measure("a.high", 15, "15 s passed", "it"), Measure("a.low", 7, "7 are left")),
        (Fault("a.fault", Grade.CRITICAL, "It broke."), Fault("a.fault", Grade.UNKNOWN, "?")),
    )  # fmt: skip
    found = judge("a", seen, KINDS)
    assert found.grade is Grade.CRITICAL
    assert [one.grade.name for one in found.findings] == [
        "CRITICAL", "UNKNOWN", "WARNING", "WARNING",
    ]  # fmt: skip
    assert found.findings[2].message == "15 s passed (at or over 10 s)."
    assert (found.findings[2].subject, found.findings[2].remedy) == ("it", "lower it")
    assert found.findings[3].message == "7 are left (under 10)."
    assert judge("a", Seen("fine", (Measure("a.high", 1, "1 s"),)), KINDS).grade is Grade.OK


def test_the_worst_is_the_one_to_act_on_first() -> None:
    assert worst([Grade.OK, Grade.WARNING, Grade.UNKNOWN]) is Grade.UNKNOWN
    assert worst([Grade.UNKNOWN, Grade.CRITICAL]) is Grade.CRITICAL
    assert worst([]) is Grade.UNKNOWN


@pytest.mark.parametrize(
    ("grades", "reached", "code"),
    [
        (["OK"], True, 0), (["OK", "WARNING"], True, 1), (["UNKNOWN", "CRITICAL"], True, 1),
        (["OK", "UNKNOWN"], True, 3), (["CRITICAL", "UNKNOWN"], False, 3), ([], True, 3),
    ],
)  # fmt: skip
def test_the_exit_code(grades: list[str], reached: bool, code: int) -> None:
    judgements = []
    for name in grades:
        grade = Grade[name]
        faults = () if grade is Grade.OK else (Fault("a.fault", grade, "."),)
        judgements.append(judge("a", Seen("", faults=faults), KINDS))
    assert Health(tuple(judgements), reached=reached).exit_code == code


def test_a_check_that_could_not_look_is_not_counted() -> None:
    looked = Judgement("a", Grade.WARNING, "")
    assert Health((looked, Judgement("b", Grade.UNKNOWN, ""))).report.checked == 1


def test_thresholds_are_changed_by_name() -> None:
    changed = with_thresholds(KINDS, {"a.high": 1}, {"a.low": 2})
    assert changed["a.high"].threshold == Threshold(1, 20, "s")
    assert changed["a.low"].threshold == Threshold(10, 2, low=True)
    assert KINDS["a.high"].threshold == HIGH


@pytest.mark.parametrize(
    ("warn", "critical", "said"),
    [
        ({"a.nothing": 1.0}, {}, "No check measures 'a.nothing'"),
        ({"a.fault": 1.0}, {}, "No check measures 'a.fault'"),
        ({"a.high": 30.0}, {}, "critical (20) is below warn (30)"),
        ({}, {"a.low": 11.0}, "critical (11) is above warn (10)"),
    ],
)
def test_wrong_thresholds(warn: dict[str, float], critical: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_thresholds(KINDS, warn, critical)
    assert said in caught.value.message
