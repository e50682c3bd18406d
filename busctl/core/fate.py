"""What became of messages that waited in the spool."""

from __future__ import annotations

from enum import StrEnum


class Fate(StrEnum):
    """What became of a message that waited."""

    STORED = "stored"
    KNOWN = "known"  # it was in the store already: only its acknowledgement was lost
    EXPIRED = "expired"  # waited past the horizon, or longer than BUSCTL_SPOOL_MAX_AGE_HOURS
    DAMAGED = "damaged"
    REFUSED = "refused"  # another payload is stored under its id
    LOCKED = "locked"  # another process is draining it
    LEFT = "left"  # the store would not take it now
    WAITING = "waiting"  # only looked at


SETTLED = frozenset({Fate.STORED, Fate.KNOWN})
