"""Alerts: a finding that lasts is raised once, and cleared once when it has stayed away. Pure.

Hysteresis both ways: after so many bad looks in a row, or so many seconds of them, it is raised;
after so many good ones, or seconds, it is cleared. A look that could not be made counts as neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from busctl.core.operating.health import Grade, Graded, Health, Kind

ALERTS = "alerts"
"""The check of undelivered alerts, of which no alert is made: it could not be delivered either."""
CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something is watched: looks in a row or seconds, whichever comes first."""

    raise_looks: int = 2
    raise_after: timedelta = timedelta(seconds=300)
    clear_looks: int = 2
    clear_after: timedelta = timedelta(seconds=300)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What an alert is about. `host` is empty for what all machines see alike."""

    kind: str
    subject: str
    host: str


@dataclass(frozen=True, slots=True)
class Alert:
    """How one alert stands: watched, or raised since `raised_at`. `bad` and `good` count looks in
    a row; `since` is the first bad one, `good_since` the first good one after."""

    key: Key
    grade: Grade
    message: str
    remedy: str
    since: datetime
    seen_at: datetime
    raised_at: datetime | None = None
    bad: int = 0
    good: int = 0
    good_since: datetime | None = None


class Change(StrEnum):
    """What there is to tell. WORSENED: from a warning to critical, while it was raised."""

    RAISED = "raised"
    WORSENED = "worsened"
    CLEARED = "cleared"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: `seen_by` is who looked. `outcomes` has for each sink None when it took
    the notice, else why not."""

    notice: UUID
    at: datetime
    change: Change
    key: Key
    grade: Grade
    message: str
    remedy: str
    since: datetime
    seen_by: str
    done: bool = False
    attempts: int = 0
    outcomes: Mapping[str, str | None] = field(default_factory=dict)

    def with_outcomes(self, outcomes: Mapping[str, str | None]) -> Notice:
        """With those of another attempt; done when every sink has taken it."""
        every = {**self.outcomes, **outcomes}
        return replace(self, outcomes=every, done=not any(every.values()))


@dataclass(frozen=True, slots=True)
class Told:
    """A change before it has got an id."""

    change: Change
    alert: Alert


def evaluate(
    alerts: Iterable[Alert], health: Health, kinds: Mapping[str, Kind], host: str, now: datetime,
    patience: Patience,
) -> tuple[list[Alert], list[Told]]:  # fmt: skip
    """The alerts after one look from `host`, and what there is to tell.

    Without a store only the connection can be judged: nothing is known of the rest.
    """
    found = _found(health, kinds, host)
    looked = _looked(health)
    known = {one.key: one for one in alerts}
    after: list[Alert] = []
    told: list[Told] = []
    for key in sorted({*known, *found}):
        alert, finding = known.get(key), found.get(key)
        if finding is not None:
            alert, change = _bad(alert, key, finding, now, patience)
        elif alert is not None and _is_judged(alert, looked, host):
            alert, change = _good(alert, now, patience)
        else:
            change = None
        if change is not None:
            told.append(change)
        if alert is not None:
            after.append(alert)
    return after, told


def _found(health: Health, kinds: Mapping[str, Kind], host: str) -> dict[Key, Graded]:
    judgements = [one for one in health.judgements if one.check != ALERTS]
    if not health.reached:
        judgements = [one for one in judgements if one.check == CONNECTION]
    return {
        Key(found.kind, found.subject, host if kinds[found.kind].local else ""): found
        for one in judgements
        for found in one.findings
    }


def _looked(health: Health) -> set[str]:
    """The checks that could look, so that what they did not find is not there."""
    if not health.reached:
        return set()
    blind = {
        one.check
        for one in health.judgements
        if any(found.kind == f"{one.check}.unknown" for found in one.findings)
    }
    return {one.check for one in health.judgements} - blind


def _is_judged(alert: Alert, looked: set[str], host: str) -> bool:
    return alert.key.kind.partition(".")[0] in looked and alert.key.host in ("", host)


def _bad(
    alert: Alert | None, key: Key, found: Graded, now: datetime, patience: Patience
) -> tuple[Alert, Told | None]:
    if alert is None or (alert.raised_at is None and alert.good):
        alert = Alert(key, found.grade, "", "", since=now, seen_at=now)
    before = alert
    alert = replace(
        alert, grade=found.grade, message=found.message, remedy=found.remedy, seen_at=now,
        bad=alert.bad + 1, good=0, good_since=None,
    )  # fmt: skip
    if before.raised_at is not None:
        worse = before.grade is not Grade.CRITICAL and alert.grade is Grade.CRITICAL
        return alert, Told(Change.WORSENED, alert) if worse else None
    if alert.bad < patience.raise_looks and now - alert.since < patience.raise_after:
        return alert, None
    alert = replace(alert, raised_at=now)
    return alert, Told(Change.RAISED, alert)


def _good(alert: Alert, now: datetime, patience: Patience) -> tuple[Alert | None, Told | None]:
    if alert.raised_at is None:
        return None, None
    since = alert.good_since or now
    alert = replace(alert, seen_at=now, good=alert.good + 1, good_since=since, bad=0)
    if alert.good < patience.clear_looks and now - since < patience.clear_after:
        return alert, None
    return None, Told(Change.CLEARED, alert)


def merged(stored: Sequence[Alert], kept_here: Sequence[Alert]) -> list[Alert]:
    """The store's alerts with those that this machine kept while the store was away: what was
    raised then is not raised again, and is cleared once."""
    known = {one.key: one for one in stored}
    for one in kept_here:
        there = known.get(one.key)
        if there is None or (there.raised_at is None and one.raised_at is not None):
            known[one.key] = one
    return list(known.values())
