"""Judging how a deployment is: values against thresholds, grades, and what to do. Pure.

A check measures numbers and notices faults; here both become findings with a grade. The grades and
their numbers are those of the Nagios plug-in guidelines
(https://www.monitoring-plugins.org/doc/guidelines.html, "Plugin Return Codes").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from busctl.core.errors import ConfigurationError
from busctl.core.operating.finding import Finding, Report


class Grade(IntEnum):
    """UNKNOWN means that a check could not look; it is never a kind of OK."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which value on a measure is bad; None: never. `low` turns it round: below which one.

    `unit` is what the value counts: s, ms, h, B (bytes), "" for a number or a share of 1.
    """

    warn: float | None = None
    critical: float | None = None
    unit: str = ""
    low: bool = False

    def grade(self, value: float) -> Grade:
        """The grade of one value; what is no number is not known."""
        if math.isnan(value):
            return Grade.UNKNOWN
        if self._reached(value, self.critical):
            return Grade.CRITICAL
        return Grade.WARNING if self._reached(value, self.warn) else Grade.OK

    def _reached(self, value: float, limit: float | None) -> bool:
        return limit is not None and (value < limit if self.low else value >= limit)


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that a check can find: what to do about it and, for a number, from when on.

    `local` is what another machine may see otherwise: its line, its clock, its disk.
    """

    remedy: str
    threshold: Threshold | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """One number. `kind` is `check.name`; `told` says it in words, `subject` whose it is."""

    kind: str
    value: float
    told: str
    subject: str = "store"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong, or could not be looked at, whatever the thresholds are."""

    kind: str
    grade: Grade
    told: str
    subject: str = "store"
    remedy: str = ""
    """In place of the kind's own, where the error that was met knows better."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one check saw: a line in words, its numbers and its faults."""

    summary: str
    measures: Sequence[Measure] = ()
    faults: Sequence[Fault] = ()


@dataclass(frozen=True, slots=True)
class Graded(Finding):
    """A finding of a check, with its grade."""

    grade: Grade = Grade.WARNING


@dataclass(frozen=True, slots=True)
class Reading:
    """A measure with the threshold it was judged by; what goes into performance data."""

    measure: Measure
    threshold: Threshold


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one check ended. `seconds` is the time it took."""

    check: str
    grade: Grade
    summary: str
    findings: tuple[Graded, ...] = ()
    readings: tuple[Reading, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Health:
    """All judgements of one look. `connect_ms` is what connecting took, None without a store.

    `reached` is False when the store could not be asked at all.
    """

    judgements: tuple[Judgement, ...]
    connect_ms: float | None = None
    reached: bool = True
    seconds: float = 0.0

    @property
    def grade(self) -> Grade:
        """The worst: CRITICAL before UNKNOWN before WARNING."""
        return worst(one.grade for one in self.judgements)

    @property
    def report(self) -> Report:
        """`checked` counts the checks that could look."""
        looked = sum(one.grade is not Grade.UNKNOWN for one in self.judgements)
        return Report(looked, tuple(found for one in self.judgements for found in one.findings))

    @property
    def exit_code(self) -> int:
        """0 fine, 1 something is wrong, 3 the store could not be asked, or nothing is wrong but a
        check could not look."""
        grades = {found.grade for one in self.judgements for found in one.findings}
        if not self.reached or not self.judgements:
            return 3
        if grades & {Grade.WARNING, Grade.CRITICAL}:
            return 1
        return 3 if self.grade is Grade.UNKNOWN else 0


_ORDER = (Grade.OK, Grade.WARNING, Grade.UNKNOWN, Grade.CRITICAL)


def worst(grades: Iterable[Grade]) -> Grade:
    """The one to act on first; UNKNOWN when there is none: nothing was looked at."""
    return max(grades, key=_ORDER.index, default=Grade.UNKNOWN)


def judge(check: str, seen: Seen, kinds: Mapping[str, Kind]) -> Judgement:
    """Grades for what a check saw. `kinds` has every kind that it may see, thresholds final."""
    readings = tuple(Reading(one, _threshold(one, kinds)) for one in seen.measures)
    findings = [_of_fault(one, kinds) for one in seen.faults]
    findings += [
        _of_reading(one, grade, kinds)
        for one in readings
        if (grade := one.threshold.grade(one.measure.value)) is not Grade.OK
    ]
    findings.sort(key=lambda one: -_ORDER.index(one.grade))
    grade = worst([Grade.OK, *(one.grade for one in findings)])
    return Judgement(check, grade, seen.summary, tuple(findings), readings)


def with_thresholds(
    kinds: Mapping[str, Kind], warn: Mapping[str, float], critical: Mapping[str, float]
) -> dict[str, Kind]:
    """`kinds` with other thresholds. Raises ConfigurationError for a name that has none."""
    for name in {*warn, *critical}:
        if (kind := kinds.get(name)) is None or kind.threshold is None:
            raise ConfigurationError(
                f"No check measures {name!r}.",
                remedy="`busctl check --list` prints the names and their thresholds.",
            )
    changed = {
        name: replace(kind, threshold=_other(kind.threshold, warn.get(name), critical.get(name)))
        for name, kind in kinds.items()
    }
    for name in {*warn, *critical}:
        _check_order(name, changed[name].threshold)
    return changed


def _other(known: Threshold | None, warn: float | None, critical: float | None) -> Threshold | None:
    if known is None:
        return None
    return replace(
        known,
        warn=known.warn if warn is None else warn,
        critical=known.critical if critical is None else critical,
    )


def _check_order(name: str, threshold: Threshold | None) -> None:
    if threshold is None or threshold.warn is None or threshold.critical is None:
        return
    if (threshold.critical > threshold.warn) if threshold.low else (
        threshold.critical < threshold.warn
    ):  # fmt: skip
        side = "above" if threshold.low else "below"
        raise ConfigurationError(
            f"{name}: critical ({threshold.critical:g}) is {side} warn ({threshold.warn:g}).",
            remedy="Give both, with --warn and --critical.",
        )


def _threshold(one: Measure, kinds: Mapping[str, Kind]) -> Threshold:
    return kinds[one.kind].threshold or Threshold()


def _of_fault(one: Fault, kinds: Mapping[str, Kind]) -> Graded:
    remedy = one.remedy or kinds[one.kind].remedy
    return Graded(one.kind, one.subject, one.told, remedy, one.grade)


def _of_reading(one: Reading, grade: Grade, kinds: Mapping[str, Kind]) -> Graded:
    measure, threshold = one.measure, one.threshold
    limit = threshold.critical if grade is Grade.CRITICAL else threshold.warn
    side = "under" if threshold.low else "at or over"
    shown = "" if limit is None else f" ({side} {limit:g}{threshold.unit and ' ' + threshold.unit})"
    return Graded(
        measure.kind, measure.subject, f"{measure.told}{shown}.", kinds[measure.kind].remedy, grade
    )
