"""What a fault drill calls for, and the sum it must come to afterwards. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any
from uuid import UUID

from busctl.core.operating.finding import Finding, Report
from busctl.core.samples import Kind

SIZES = ((1_000, 60), (10_000, 20), (100_000, 14), (1_500_000, 5), (10_000_000, 1))
"""Bytes, and how many of a hundred messages have them: rows up to 1 MiB, chunks above."""
MIX: tuple[Kind, ...] = ("json", "text", "random", "hostile", "surrogates")
INVARIANTS = (
    "every caller got identical bytes or a named error",
    "what was acknowledged is in the store or the spool: none lost",
    "what is stored is what the tool made, read back and compared",
    "no request is stored twice",
    "each message took one path: stored, or fell back and reconciled, or fell back and waiting",
    "the spool was drained",
)
"""What is looked at after each drill; a violation names the ids."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One call to be made: size in bytes; `request_id` is unique in the run."""

    request_id: str
    kind: Kind
    size: int
    seed: int


def plans(messages: int, seed: int, prefix: str, *, sizes: Sequence[int] = ()) -> list[Plan]:
    """So many calls of mixed sizes and kinds, the same for the same seed; the first ones have
    `sizes`."""
    random = Random(f"{seed} {prefix}")  # noqa: S311  # samples that can be repeated
    known = [size for size, _ in SIZES]
    weights = [weight for _, weight in SIZES]
    chosen = [*sizes, *random.choices(known, weights, k=messages)][:messages]
    return [
        Plan(f"{prefix}-{number}", random.choice(MIX), size, random.getrandbits(32))
        for number, size in enumerate(chosen)
    ]


class Outcome(StrEnum):
    """What the caller got."""

    INTACT = "intact"
    NAMED = "named error"
    WRONG = "wrong bytes"


@dataclass(slots=True)
class Attempt:
    """One call as its caller saw it. `acknowledged` are the ids it was told its answer is kept
    under; `repeats` how often it asked again after an unknown outcome; `detected` how often what
    came was damaged, and named so."""

    plan: Plan
    checksum: str
    outcome: Outcome | None = None
    code: str = ""
    message: str = ""
    acknowledged: set[UUID] = field(default_factory=set)
    repeats: int = 0
    detected: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Kept:
    """One message in the store after the drill, read back: `checksum` is of the bytes that came,
    `fault` the named error if they did not. `path`: stored, reconciled."""

    transaction_id: UUID
    request_id: str
    checksum: str
    path: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Sum:
    """Everything counted. `unacknowledged` are stored and their caller was not told: its answer got
    lost behind the commit."""

    attempted: int
    intact: int
    named_errors: Mapping[str, int]
    acknowledged: int
    stored: int
    reconciled: int
    waiting: int
    unacknowledged: int
    repeats: int
    detected: int
    duplicates: int
    corrupted: int
    lost: int
    violations: Sequence[Finding]

    @property
    def report(self) -> Report:
        return Report(self.attempted, tuple(self.violations))

    def shape(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "attempted": self.attempted,
            "delivered_intact": self.intact,
            "named_errors": dict(self.named_errors),
            "acknowledged": self.acknowledged,
            "stored": self.stored,
            "reconciled": self.reconciled,
            "waiting": self.waiting,
            "stored_unacknowledged": self.unacknowledged,
            "repeats": self.repeats,
            "damage_detected": self.detected,
            "duplicates": self.duplicates,
            "corrupted": self.corrupted,
            "lost": self.lost,
            "violations": [
                {"kind": one.kind, "subject": one.subject, "message": one.message,
                 "remedy": one.remedy}
                for one in self.violations
            ],
        }  # fmt: skip


REMEDY = "Keep the deployment (--keep) and look at `busctl show`, the daemon's log and the spool."


def add_up(attempts: Sequence[Attempt], kept: Sequence[Kept], waiting: Collection[UUID]) -> Sum:
    """Compare what callers were told with what is there. `waiting` are ids in the spool, looked at
    before the store was: what was drained meanwhile is in both."""
    there = {one.transaction_id: one for one in kept}
    told = {known: attempt for attempt in attempts for known in attempt.acknowledged}
    found = [
        *_wrong(attempts),
        *_missing(told, there, waiting),
        *_damaged(told, there, {one.plan.request_id: one for one in attempts}),
        *_twice(kept),
        *_left(set(waiting) - there.keys()),
    ]
    paths = Counter(there[known].path for known in told if known in there)
    counted = Counter(one.kind for one in found)
    return Sum(
        attempted=len(attempts),
        intact=sum(one.outcome is Outcome.INTACT for one in attempts),
        named_errors=Counter(one.code for one in attempts if one.outcome is Outcome.NAMED),
        acknowledged=len(told),
        stored=paths["stored"],
        reconciled=paths["reconciled"],
        waiting=sum(known in waiting and known not in there for known in told),
        unacknowledged=len(there.keys() - told.keys()),
        repeats=sum(one.repeats for one in attempts),
        detected=sum(one.detected for one in attempts),
        duplicates=counted["duplicate"],
        corrupted=counted["wrong_bytes"] + counted["damaged"],
        lost=counted["lost"],
        violations=found,
    )


def _wrong(attempts: Sequence[Attempt]) -> list[Finding]:
    found = []
    for one in attempts:
        if one.outcome is Outcome.WRONG:
            found.append(_finding("wrong_bytes", one.plan.request_id, one.message))
        elif one.outcome is None:
            found.append(_finding("unanswered", one.plan.request_id, "Neither bytes nor an error."))
    return found


def _missing(
    told: Mapping[UUID, Attempt], there: Mapping[UUID, Kept], waiting: Collection[UUID]
) -> list[Finding]:
    return [
        _finding("lost", f"{known}", f"Acknowledged to {attempt.plan.request_id}, and nowhere.")
        for known, attempt in told.items()
        if known not in there and known not in waiting
    ]


def _damaged(
    told: Mapping[UUID, Attempt], there: Mapping[UUID, Kept], asked: Mapping[str, Attempt]
) -> list[Finding]:
    """What is stored must be what its request's tool made; what nobody was told of may be damaged,
    as long as reading it says so."""
    found = []
    for one in there.values():
        attempt = told.get(one.transaction_id) or asked.get(one.request_id)
        if one.fault and one.transaction_id in told:
            found.append(_finding("damaged", f"{one.transaction_id}", one.fault))
        elif not one.fault and attempt is not None and one.checksum != attempt.checksum:
            found.append(
                _finding("damaged", f"{one.transaction_id}", "Other bytes than the tool made.")
            )
    return found


def _twice(kept: Sequence[Kept]) -> list[Finding]:
    by_request = defaultdict(list)
    for one in kept:
        by_request[one.request_id].append(str(one.transaction_id))
    return [
        _finding("duplicate", ", ".join(ids), f"All of them are stored for request {request}.")
        for request, ids in by_request.items()
        if len(ids) > 1
    ]


def _left(waiting: Collection[UUID]) -> list[Finding]:
    return [_finding("not_drained", str(known), "Waits in the spool still.") for known in waiting]


def _finding(kind: str, subject: str, message: str) -> Finding:
    return Finding(kind, subject, message, REMEDY)
