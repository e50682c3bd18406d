"""Whether the store is tried at all. Pure: told the time (seconds, any monotonic clock) and given
its jitter (in [0, 1)).

| state | what came | becomes |
|---|---|---|
| closed | success | closed, counting anew |
| closed | failure, fewer than the threshold in a row | closed |
| closed | failure, as many as the threshold | open |
| open | nothing, until its time is up | open: nobody is let through |
| open | a call, once its time is up | half open: that call is the trial |
| open | an urgent call, 5 s after the last failure | half open: that call is the trial |
| half open | another call while the trial runs | half open: it is not let through |
| half open | the trial succeeded | closed |
| half open | the trial failed | open |
| half open | the trial told nothing | half open: the next call is the trial |

What was let through before the last transition no longer counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from busctl.core.errors import (
    AccessDenied,
    EmbeddedStoreError,
    MessageCorrupt,
    OutsideHorizon,
    SchemaMissing,
    SchemaOutdated,
    StoreFailed,
    StoreFull,
    StoreOverBudget,
    StoreReadOnly,
    StoreUnreachable,
    TransactionConflict,
)

URGENT_SECS = 5.0
"""How long after a failure a call that nothing can stand in for is a trial: who reads what is
stored would wait for the whole time else, although the store may be back."""
JITTER_SHARE = 0.1
"""By how much of its time an open breaker may try sooner, so that many do not try at once."""

AWAY = (StoreUnreachable, EmbeddedStoreError)
"""The store gave no answer: away, out of connections, or no progress within a time-out."""
REFUSING = (StoreReadOnly, StoreFull)
"""The store answers and takes no writes."""
STORE_ERRORS = (
    StoreUnreachable, StoreReadOnly, StoreFull, StoreOverBudget, StoreFailed, SchemaMissing,
    SchemaOutdated, EmbeddedStoreError,
)  # fmt: skip
"""What keeps the store from taking any message at all."""
FALLS_BACK = (*STORE_ERRORS, AccessDenied, MessageCorrupt)
"""What sends a message that is as it should be into the spool: the database role's rights too, and
damage on the way into the store that was found before the commit."""
_ANSWERED = (
    TransactionConflict, OutsideHorizon, AccessDenied, SchemaMissing, SchemaOutdated, StoreFailed,
)  # fmt: skip


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(Enum):
    """What a call says about the store. NOTHING: it failed before the store was asked."""

    SUCCESS = "success"
    FAILURE = "failure"
    NOTHING = "nothing"


_NEXT = {
    (State.CLOSED, Outcome.SUCCESS): State.CLOSED,
    (State.CLOSED, Outcome.FAILURE): State.OPEN,  # at the threshold
    (State.CLOSED, Outcome.NOTHING): State.CLOSED,
    (State.HALF_OPEN, Outcome.SUCCESS): State.CLOSED,
    (State.HALF_OPEN, Outcome.FAILURE): State.OPEN,
    (State.HALF_OPEN, Outcome.NOTHING): State.HALF_OPEN,
}


def outcome_of(error: BaseException | None) -> Outcome:
    """What a call that ended so says about the store: a caller's fault is none of the store's."""
    if error is None or isinstance(error, _ANSWERED):
        return Outcome.SUCCESS
    if isinstance(error, AWAY + REFUSING):
        return Outcome.NOTHING if getattr(error, "busy", False) else Outcome.FAILURE
    return Outcome.NOTHING


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call; handed back with its outcome."""

    era: int


@dataclass(slots=True)
class Breaker:
    """One breaker. `since` is when it got into its state, `failures` how many in a row, `reason`
    the last of them."""

    threshold: int
    timeout: float
    since: float = 0.0
    state: State = State.CLOSED
    failures: int = 0
    reason: str = ""
    retry_at: float = 0.0
    urgent_at: float = 0.0
    _era: int = 0
    _trial: bool = False

    def admit(self, now: float, *, urgent: bool = False) -> Permit | None:
        """Leave to make a call, None when the store is to be left alone. `urgent`: nothing stands
        in for what it asks."""
        if self.state is State.CLOSED:
            return Permit(self._era)
        if self.state is State.OPEN and not self.wait(now, urgent=urgent):
            self._enter(State.HALF_OPEN, now)
        if self.state is State.OPEN or self._trial:
            return None
        self._trial = True
        return Permit(self._era)

    def settle(
        self, permit: Permit, outcome: Outcome, now: float, jitter: float, reason: str = ""
    ) -> None:
        """How a call ended that was let through."""
        if permit.era == self._era:
            self._trial = False
            self._count(outcome, now, jitter, reason)

    def witness(self, outcome: Outcome, now: float, jitter: float, reason: str = "") -> None:
        """How a call ended that another breaker let through to the same store: it can open this
        one, and never close it."""
        if self.state is State.CLOSED:
            self._count(outcome, now, jitter, reason)

    def hasten(self, now: float) -> None:
        """The store was seen to be back: let a trial through at once."""
        if self.state is State.OPEN:
            self.retry_at = min(self.retry_at, now)

    def wait(self, now: float, *, urgent: bool = False) -> float:
        """Seconds until a call may be let through; 0 when one may be now, or a trial runs."""
        then = min(self.retry_at, self.urgent_at) if urgent else self.retry_at
        return max(0.0, then - now) if self.state is State.OPEN else 0.0

    def _count(self, outcome: Outcome, now: float, jitter: float, reason: str) -> None:
        if outcome is Outcome.FAILURE:
            self.failures += 1
            self.reason = reason
            if self.state is State.CLOSED and self.failures < self.threshold:
                return
            self.retry_at = now + self.timeout * (1 - JITTER_SHARE * jitter)
            self.urgent_at = now + URGENT_SECS
        elif outcome is Outcome.SUCCESS:
            self.failures = 0
        self._enter(_NEXT[self.state, outcome], now)

    def _enter(self, state: State, now: float) -> None:
        if state is not self.state:
            self.state, self.since = state, now
            self._era += 1
            self._trial = False
