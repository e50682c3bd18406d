"""Alerts and notices as JSON: for sinks, and for this machine while the store is away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from busctl.core.operating.alert import Alert, Change, Key, Notice
from busctl.core.operating.health import Grade

VERSION = 1


def told(notice: Notice) -> dict[str, Any]:
    """What a sink gets. `id` is the same in every attempt: a receiver may drop repeats by it."""
    return {
        "version": VERSION,
        "id": str(notice.notice),
        "at": notice.at.isoformat(),
        "change": notice.change.value,
        "kind": notice.key.kind,
        "subject": notice.key.subject,
        "host": notice.key.host,
        "grade": notice.grade.name,
        "message": notice.message,
        "remedy": notice.remedy,
        "since": notice.since.isoformat(),
        "seen_by": notice.seen_by,
    }


def title(notice: Notice) -> str:
    """One line for people."""
    return f"busctl {notice.change.value} {notice.grade.name}: {notice.key.kind}"


def body(notice: Notice) -> str:
    """A few lines for people."""
    host = f" ({notice.key.host})" if notice.key.host else ""
    return (
        f"{notice.key.subject}{host}: {notice.message}\n"
        f"since {notice.since.isoformat(timespec='seconds')}\nfix: {notice.remedy}"
    )


def notice_shape(notice: Notice) -> dict[str, Any]:
    """As `told`, with what became of it."""
    return {
        **told(notice),
        "done": notice.done,
        "attempts": notice.attempts,
        "outcomes": dict(notice.outcomes),
    }


def read_notice(shape: Mapping[str, Any]) -> Notice:
    """The notice of a `notice_shape`. Raises KeyError, ValueError or TypeError."""
    return Notice(
        UUID(shape["id"]), datetime.fromisoformat(shape["at"]), Change(shape["change"]),
        Key(shape["kind"], shape["subject"], shape["host"]), Grade[shape["grade"]],
        shape["message"], shape["remedy"], datetime.fromisoformat(shape["since"]),
        shape["seen_by"], shape["done"], shape["attempts"], shape["outcomes"],
    )  # fmt: skip


def alert_shape(alert: Alert) -> dict[str, Any]:
    """The JSON shape of an alert."""
    return {
        "kind": alert.key.kind,
        "subject": alert.key.subject,
        "host": alert.key.host,
        "grade": alert.grade.name,
        "message": alert.message,
        "remedy": alert.remedy,
        "raised_at": _text(alert.raised_at),
        "since": alert.since.isoformat(),
        "seen_at": alert.seen_at.isoformat(),
        "bad": alert.bad,
        "good": alert.good,
        "good_since": _text(alert.good_since),
    }


def read_alert(shape: Mapping[str, Any]) -> Alert:
    """The alert of an `alert_shape`. Raises KeyError, ValueError or TypeError."""
    return Alert(
        Key(shape["kind"], shape["subject"], shape["host"]), Grade[shape["grade"]],
        shape["message"], shape["remedy"], datetime.fromisoformat(shape["since"]),
        datetime.fromisoformat(shape["seen_at"]), _moment(shape["raised_at"]), shape["bad"],
        shape["good"], _moment(shape["good_since"]),
    )  # fmt: skip


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
