"""Durations and moments as people type them: `48h`, `1d12h`, `2026-11-22T18:00`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from busctl.core.errors import ConfigurationError

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
LONGEST = timedelta(days=3_650)
"""Ten years: beyond it a time to live is a slip of the finger."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str, what: str = "duration") -> timedelta:
    """A positive duration of at most ten years: `90s`, `90m`, `48h`, `2d`, `1w`, `1d12h`.

    `what` names the option in the error. Raises ConfigurationError.
    """
    duration = _duration(text)
    if duration is None:
        raise ConfigurationError(
            f"{what} {text!r} is not a duration.",
            remedy="Write a number and a unit: 90s, 90m, 48h, 2d, 1w or 1d12h.",
        )
    if not timedelta(0) < duration <= LONGEST:
        raise ConfigurationError(
            f"{what} {text!r} is not over 0 and at most {LONGEST.days:,} days.",
            remedy="Write another one, such as 48h; a pinned message is kept without end.",
        )
    return duration


def check_ttl(ttl: timedelta | None) -> None:
    """Raises ConfigurationError for a time to live that would end at once, or never."""
    if ttl is not None and not timedelta(0) < ttl <= LONGEST:
        raise ConfigurationError(
            f"A time to live of {ttl} is not over 0 and at most {LONGEST.days:,} days.",
            remedy="Give another one; a pinned message is kept without end.",
        )


def parse_moment(text: str, now: datetime, what: str = "time") -> datetime:
    """A moment: a duration before `now` (`2h`), or an ISO 8601 date or time.

    A time without an offset is in the zone of `now`, which must be aware. Nothing is before
    1970, where transaction ids begin. Raises ConfigurationError.
    """
    duration = _duration(text)
    if duration is not None:
        return now - min(duration, now - EPOCH)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"{what} {text!r} is neither a duration nor a time.",
            remedy="Write how long ago (30m, 2h, 7d) or when (2026-11-22, 2026-11-22T18:00+01:00).",
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=now.tzinfo)
    return max(moment, EPOCH)


def show_duration(duration: timedelta) -> str:
    """The two largest units: `1d 23h`, `5m 3s`, `0s`; a minus in front of a negative one."""
    left = int(abs(duration).total_seconds())
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, SECONDS[unit])
        if count or (parts and len(parts) < 2):
            parts.append(f"{count}{unit}")
    shown = " ".join(part for part in parts[:2] if not part.startswith("0")) or "0s"
    return f"-{shown}" if duration < timedelta(0) and shown != "0s" else shown


def _duration(text: str) -> timedelta | None:
    """None for what is not written as a duration; what is too long for Python counts as endless."""
    written = text.strip().lower()
    if not _WHOLE.fullmatch(written):
        return None
    seconds = sum(float(number) * SECONDS[unit] for number, unit in _PART.findall(written))
    return timedelta(seconds=seconds) if seconds < 10**13 else timedelta.max
