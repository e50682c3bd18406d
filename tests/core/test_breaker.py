"""The breaker against its table, case by case and against a model that counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)

from busctl.core import errors
from busctl.core.breaker import (
    JITTER_SHARE,
    URGENT_SECS,
    Breaker,
    Outcome,
    Permit,
    State,
    outcome_of,
)

S, F, N = Outcome.SUCCESS, Outcome.FAILURE, Outcome.NOTHING


def breaker_in(state: State) -> Breaker:
    """A breaker of threshold 1 and 10 s that got into that state at 0."""
    breaker = Breaker(1, 10.0)
    if state is not State.CLOSED:
        breaker.settle(_let(breaker, 0.0), F, 0.0, 0.0, "away")
    return breaker


def _let(breaker: Breaker, now: float) -> Permit:
    permit = breaker.admit(now)
    assert permit is not None
    return permit


@pytest.mark.parametrize(
    ("state", "now", "outcome", "after"),
    [
        (State.CLOSED, 1.0, S, State.CLOSED),
        (State.CLOSED, 1.0, F, State.OPEN),
        (State.CLOSED, 1.0, N, State.CLOSED),
        (State.OPEN, 10.0, S, State.CLOSED),
        (State.OPEN, 10.0, F, State.OPEN),
        (State.OPEN, 10.0, N, State.HALF_OPEN),
    ],
)
def test_transitions(state: State, now: float, outcome: Outcome, after: State) -> None:
    breaker = breaker_in(state)
    breaker.settle(_let(breaker, now), outcome, now, 0.0)
    assert breaker.state is after
    assert breaker.since == (now if after is not state else 0.0 if now < 10 else now)


def test_open_lets_nobody_through_until_its_time_is_up() -> None:
    breaker = breaker_in(State.OPEN)
    assert breaker.admit(9.999) is None
    assert breaker.wait(4.0) == 6.0
    assert breaker.reason == "away"
    _let(breaker, 10.0)
    assert breaker.state.value == State.HALF_OPEN


def test_who_reads_what_is_nowhere_else_is_a_trial_soon() -> None:
    breaker = Breaker(1, 60.0)
    breaker.settle(_let(breaker, 0.0), F, 0.0, 0.0, "away")
    assert breaker.admit(URGENT_SECS - 0.1, urgent=True) is None
    assert breaker.wait(1.0, urgent=True) == URGENT_SECS - 1.0
    assert breaker.admit(URGENT_SECS) is None
    trial = breaker.admit(URGENT_SECS, urgent=True)
    assert trial is not None
    assert breaker.admit(URGENT_SECS, urgent=True) is None
    breaker.settle(trial, F, 7.0, 0.0, "away")
    assert breaker.wait(7.0) == 60.0
    assert breaker.wait(7.0, urgent=True) == URGENT_SECS
    again = breaker.admit(7.0 + URGENT_SECS, urgent=True)
    assert again is not None
    breaker.settle(again, S, 13.0, 0.0)
    assert breaker.state is State.CLOSED


def test_a_short_time_is_not_made_longer_by_that() -> None:
    breaker = Breaker(1, 2.0)
    breaker.settle(_let(breaker, 0.0), F, 0.0, 0.0, "away")
    assert breaker.wait(0.0, urgent=True) == 2.0


def test_half_open_tries_one_at_a_time() -> None:
    breaker = breaker_in(State.OPEN)
    trial = _let(breaker, 10.0)
    assert breaker.admit(11.0) is None
    breaker.settle(trial, N, 12.0, 0.0)
    again = _let(breaker, 12.0)
    assert breaker.admit(12.0) is None
    breaker.settle(again, S, 13.0, 0.0)
    assert breaker.state.value == State.CLOSED
    assert breaker.failures == 0


def test_failures_must_follow_one_another() -> None:
    breaker = Breaker(3, 10.0)
    for outcome in (F, F, S, F, F, N):
        breaker.settle(_let(breaker, 0.0), outcome, 0.0, 0.0)
    assert breaker.state.value == State.CLOSED
    breaker.settle(_let(breaker, 0.0), F, 0.0, 0.0)
    assert breaker.state.value == State.OPEN


def test_what_was_let_through_before_a_transition_does_not_count() -> None:
    breaker = Breaker(1, 10.0)
    slow, slower, failing = (_let(breaker, 0.0) for _ in range(3))
    breaker.settle(failing, F, 1.0, 0.0)
    breaker.settle(slow, S, 2.0, 0.0)
    assert breaker.state.value == State.OPEN
    trial = _let(breaker, 11.0)
    breaker.settle(slower, F, 12.0, 0.0)
    assert breaker.state.value == State.HALF_OPEN
    breaker.settle(trial, S, 13.0, 0.0)
    assert breaker.state.value == State.CLOSED


def test_hastening_lets_a_trial_through_and_no_more() -> None:
    breaker = breaker_in(State.OPEN)
    breaker.hasten(1.0)
    assert breaker.state.value == State.OPEN
    _let(breaker, 1.0)
    assert breaker.admit(1.0) is None


def test_jitter_tries_sooner_never_later() -> None:
    breaker = Breaker(1, 10.0)
    breaker.settle(_let(breaker, 0.0), F, 0.0, 0.5)
    assert breaker.retry_at == 10.0 * (1 - JITTER_SHARE * 0.5)


def test_a_witness_opens_and_never_closes() -> None:
    breaker = Breaker(2, 10.0)
    breaker.witness(F, 0.0, 0.0)
    breaker.witness(F, 0.0, 0.0, "seen")
    assert (breaker.state, breaker.reason) == (State.OPEN, "seen")
    breaker.witness(S, 20.0, 0.0)
    assert breaker.state.value == State.OPEN
    trial = _let(breaker, 20.0)
    breaker.witness(F, 21.0, 0.0)
    breaker.settle(trial, S, 22.0, 0.0)
    assert breaker.state.value == State.CLOSED


COUNTED = {
    errors.StoreUnreachable: F, errors.StoreTimeout: F, errors.StoreUntrusted: F,
    errors.StoreReadOnly: F, errors.StoreFull: F, errors.EmbeddedStoreError: F,
    errors.TransactionConflict: S, errors.OutsideHorizon: S, errors.AccessDenied: S,
    errors.SchemaMissing: S, errors.SchemaOutdated: S, errors.StoreFailed: S,
}  # fmt: skip
"""What every other error says is nothing."""


def _all(kind: type[BaseException]) -> set[type[BaseException]]:
    return {kind}.union(*(_all(each) for each in kind.__subclasses__()))


def test_which_errors_count() -> None:
    assert outcome_of(None) is S
    assert outcome_of(KeyboardInterrupt()) is N
    for kind in _all(errors.BusctlError):
        if kind.__module__ == errors.__name__:
            error: Any = kind.__new__(kind)  # its kind decides, not what it says
            assert outcome_of(error) is COUNTED.get(kind, N), kind  # type: ignore[arg-type]  # of them


def test_a_crowd_of_our_own_says_nothing_of_the_store() -> None:
    busy = errors.StoreUnreachable("No connection became free.")
    busy.busy = True
    assert outcome_of(busy) is N


class Model(RuleBasedStateMachine):
    """Calls begin and end in any order while time goes by."""

    permits = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(3, 10.0)
        self.row = 0
        self.open_until: float | None = None
        self.trial: Permit | None = None
        self.given: list[Permit | None] = []  # kept, so that no two have the same id
        self.closed_permits: set[int] = set()

    @rule(seconds=st.floats(0, 6))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=permits)
    def begin(self) -> Permit | None:
        permit = self.breaker.admit(self.now)
        self.given.append(permit)
        if self.open_until is None:
            assert permit is not None
            self.closed_permits.add(id(permit))
        elif self.now < self.open_until or self.trial is not None:
            assert permit is None
        else:
            assert permit is not None
            self.trial = permit
        return permit

    @rule(permit=consumes(permits), outcome=st.sampled_from(Outcome), jitter=st.floats(0, 0.999))
    def end(self, permit: Permit | None, outcome: Outcome, jitter: float) -> None:
        if permit is None:
            return
        counts = permit is self.trial or id(permit) in self.closed_permits
        self.breaker.settle(permit, outcome, self.now, jitter)
        self.closed_permits.discard(id(permit))
        if not counts:
            return
        was_trial = permit is self.trial
        if was_trial:
            self.trial = None
        if outcome is S:
            self.row, self.open_until = 0, None
        elif outcome is F:
            self.row += 1
            if was_trial or self.row >= 3:
                self.open_until = self.breaker.retry_at
                assert self.now + 9.0 <= self.open_until <= self.now + 10.0
                self.closed_permits.clear()

    @precondition(lambda self: self.open_until is None)
    @invariant()
    def is_closed(self) -> None:
        assert self.breaker.state.value == State.CLOSED
        assert self.breaker.failures == self.row < 3

    @precondition(lambda self: self.open_until is not None)
    @invariant()
    def is_not_closed(self) -> None:
        assert self.breaker.state.value != State.CLOSED
        assert (self.breaker.wait(self.now) > 0) <= (self.now < (self.open_until or 0))


TestModel = Model.TestCase
