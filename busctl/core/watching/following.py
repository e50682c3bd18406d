"""Following: every committed message exactly once for each named follower. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from busctl.core.envelope import Envelope

FIRST_PAUSE_SECS = 0.01
LONGEST_PAUSE_SECS = 0.25
PAUSE_GROWTH = 1.5
BATCH_MESSAGES = 500
BATCH_LINES = 1000
"""As messages, where lines alone are wanted."""
DENSE_MESSAGES = 16
"""A batch of so many says that more are on their way."""
FIRST_LINGER_SECS = 0.05
LONGEST_LINGER_SECS = 0.25
"""How long a follower that keeps up lets messages gather, twice as long each time that they came
densely: a batch costs as much as 60 of them, and beside 16 writers on two cores that is theirs."""
BODY_BYTES = 64 * 1024
"""Stored bytes up to which a body comes along with its envelope."""
LEASE_SECS = 3.0
"""How long a batch is held for whoever got it; after a kill the next one waits so long."""
LISTEN_SECS = 20.0
"""How long writers are told that somebody listens; said again before it is over."""


class Carried(Enum):
    """What comes along of each message."""

    BODIES = "bodies"
    """Its envelope and, where they are small, its stored bytes."""
    ENVELOPES = "envelopes"
    LINES = "lines"
    """One line of text, the JSON that `busctl tail --json` prints, made by the store."""


def most_of(carried: Carried) -> int:
    """How many messages a batch has at most, unless somebody says otherwise."""
    return BATCH_LINES if carried is Carried.LINES else BATCH_MESSAGES


class Followed(NamedTuple):
    """A message as a follower gets it; `body` are its stored bytes when they came along."""

    envelope: Envelope
    body: bytes | None
    xid: str
    seq: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a follower's cursor is moved: a snapshot as PostgreSQL writes it, and within it the
    last transaction and sequence number. `moves` is what the cursor must still have counted."""

    moves: int
    goal: str
    complete: bool
    xid: str
    seq: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages in order, and the place behind them. Those a filter passed over are not in it, so
    it may be empty. Of `count` messages either the `messages` themselves or their `lines` came."""

    follower: str
    place: Place
    count: int
    messages: Sequence[Followed] = ()
    lines: str = ""

    def first(self, count: int) -> Batch:
        """Its first messages alone, 1 or more, and the place behind them."""
        if count >= len(self.messages):
            return self
        last = self.messages[count - 1]
        place = replace(self.place, complete=False, xid=last.xid, seq=last.seq)
        return Batch(self.follower, place, count, self.messages[:count])


def gathering(batch: Batch, before: float) -> float:
    """How many seconds the batch behind this one is left to gather; `before`, as it was."""
    if batch.count < DENSE_MESSAGES:
        return 0.0 if batch.place.complete else before
    return min(max(2 * before, FIRST_LINGER_SECS), LONGEST_LINGER_SECS)


def longer(pause: float) -> float:
    """The next pause between two looks in vain, in seconds."""
    return min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECS)
