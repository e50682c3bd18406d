"""What a provider's refusal means, whether to ask again, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from busctl.core.providers.profile import Profile, Retries
from busctl.core.text import printable

UNAUTHORIZED = frozenset({401, 403})
PAYMENT_REQUIRED = 402
BUSY = frozenset({408, 425, 429})
SERVER_ERRORS = 500
MOST_SAID_CHARS = 300
MOST_CODE_CHARS = 60


class ApiFault(Exception):
    """A provider that could not be reached (`status` None), refused, or broke off. `code` is its
    own code or type, `said` its own words, `retry_after` the header as it came."""

    def __init__(
        self, said: str, *, status: int | None = None, code: str = "",
        retry_after: str | None = None, request_id: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(said)
        # Metadata takes no NUL and no half characters, and a provider may say anything.
        self.said = printable(said[:MOST_SAID_CHARS])
        self.status = status
        self.code = printable(code[:MOST_CODE_CHARS])
        self.retry_after = retry_after
        self.request_id = request_id

    def __str__(self) -> str:
        told = [] if self.status is None else [f"status {self.status}"]
        return ", ".join([*told, *([self.code] if self.code else []), self.said])


class Verdict(StrEnum):
    """What is to be done about it."""

    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"
    QUOTA = "quota"
    BUSY = "busy"
    FILTERED = "filtered"
    REFUSED = "refused"


RETRIED = frozenset({Verdict.UNREACHABLE, Verdict.BUSY})
"""Asking again may help."""


def verdict_of(profile: Profile, fault: ApiFault) -> Verdict:
    """The provider's own code says more than the status: a balance that is used up is 429 too."""
    errors = profile.errors
    by_code = (
        (errors.quota, Verdict.QUOTA), (errors.unauthorized, Verdict.UNAUTHORIZED),
        (errors.filtered, Verdict.FILTERED), (errors.busy, Verdict.BUSY),
    )  # fmt: skip
    for codes, verdict in by_code:
        if fault.code in codes:
            return verdict
    match fault.status:
        case None:
            return Verdict.UNREACHABLE
        case status if status in UNAUTHORIZED:
            return Verdict.UNAUTHORIZED
        case status if status == PAYMENT_REQUIRED:
            return Verdict.QUOTA
        case status if status in BUSY or status >= SERVER_ERRORS:
            return Verdict.BUSY
    return Verdict.REFUSED


def pause_after(
    attempt: int, fault: ApiFault, rules: Retries, *, now: datetime, spread: float
) -> float | None:
    """Seconds until the next attempt; None when there is none. `attempt` counts from 1, `spread`
    is a random number from 0 to 1. What Retry-After asks is waited whole, or not at all."""
    if attempt >= rules.attempts:
        return None
    asked = retry_after(fault.retry_after, now)
    if asked is not None:
        return asked if asked <= rules.longest_pause else None
    pause = min(rules.first_pause * 2.0 ** (attempt - 1), rules.longest_pause)
    return pause * (1 + spread / 4)


def retry_after(said: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait: a number of them, or a date (RFC 9110)."""
    if said is None:
        return None
    text = said.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:  # neither of the two: as if it were not there
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())
