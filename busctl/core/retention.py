"""Which partitions go whole, which lose rows, which wait. Pure: told the time and what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MESSAGES, CHUNKS, EVENTS = "message_bus", "message_chunk", "message_event"

SETTLING = timedelta(minutes=15)
"""A partition counts as past this long after its upper bound: an id made just before the bound
may still be on its way."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: bounds in time [lower, upper), estimated rows (-1: not known), bytes on disk.

    `attached` is False for one that an interrupted removal left half detached or detached.
    """

    parent: str
    name: str
    lower: datetime
    upper: datetime
    estimated_rows: int
    size_bytes: int
    attached: bool = True

    @property
    def width(self) -> timedelta:
        return self.upper - self.lower

    def overlaps(self, other: Partition) -> bool:
        return self.lower < other.upper and other.lower < self.upper


@dataclass(frozen=True, slots=True)
class Contents:
    """What a message partition holds at one moment. Pinned messages count as `pinned` only.

    `expired`: some have expired · `live`: some have not · `lasting`: some will not within one
    partition width (so `lasting` implies `live`).
    """

    pinned: bool = False
    expired: bool = False
    live: bool = False
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """What a message partition holds: messages, those delivered, those pinned, and the payload
    and stored bytes of all that are not pinned."""

    messages: int = 0
    delivered: int = 0
    pinned: int = 0
    payload_bytes: int = 0
    stored_bytes: int = 0

    @property
    def undelivered(self) -> int:
        """Messages that may go and were never fetched."""
        return self.messages - self.pinned - self.delivered


class Action(StrEnum):
    """What cleanup does with a partition."""

    DROP = "drop"
    ROWS = "rows"
    WAIT = "wait"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Decision:
    """An action and, in words for the operator, why."""

    action: Action
    reason: str


def decide(partition: Partition, found: Contents, now: datetime, *, eager: bool) -> Decision:
    """What to do with one message partition.

    `eager` deletes row by row what would be dropped whole within one partition width.
    """
    if not partition.attached:
        return Decision(Action.DROP, "its removal was interrupted")
    if not is_past(partition, now):
        return _rows_or_keep(found, "it takes new messages")
    if found.pinned:
        return _rows_or_keep(found, "it holds pinned messages")
    if not found.live:
        why = "every message has expired" if found.expired else "it is empty"
        return Decision(Action.DROP, why)
    if found.expired and not (found.lasting or eager):
        return Decision(Action.WAIT, f"all of it expires within {hours(partition.width)}")
    return _rows_or_keep(found, "it holds messages that have not expired")


def _rows_or_keep(found: Contents, why: str) -> Decision:
    return Decision(Action.ROWS if found.expired else Action.KEEP, why)


def by_loss(held: Mapping[str, Holding], partitions: Iterable[Partition]) -> list[Partition]:
    """In which order partitions go when space must be had: first those whose messages were all
    delivered, then the others, whose messages expire soonest; oldest first in both."""
    return sorted(partitions, key=lambda one: (held[one.name].undelivered > 0, one.lower))


def is_past(partition: Partition, now: datetime) -> bool:
    """Whether no new id belongs to it any more."""
    return partition.upper + SETTLING <= now


def of(parent: str, partitions: Iterable[Partition]) -> list[Partition]:
    """The partitions of one parent, oldest first."""
    return sorted((one for one in partitions if one.parent == parent), key=lambda one: one.lower)


def companions(message: Partition, partitions: Iterable[Partition]) -> list[Partition]:
    """The chunk partitions that leave together with a message partition."""
    return [one for one in of(CHUNKS, partitions) if one.overlaps(message)]


def orphan_chunks(partitions: Sequence[Partition], now: datetime) -> list[Partition]:
    """Chunk partitions with no message partition for their time, and half detached ones."""
    messages = of(MESSAGES, partitions)
    return [
        one
        for one in of(CHUNKS, partitions)
        if not one.attached
        or (is_past(one, now) and not any(one.overlaps(message) for message in messages))
    ]


def old_events(partitions: Sequence[Partition], now: datetime, keep: timedelta) -> list[Partition]:
    """Event partitions older than `keep` whose messages have all gone, and half detached ones."""
    messages = of(MESSAGES, partitions)
    return [
        one
        for one in of(EVENTS, partitions)
        if not one.attached
        or (
            is_past(one, now)
            and one.upper <= now - keep
            and not any(one.overlaps(message) for message in messages)
        )
    ]


def hours(span: timedelta) -> str:
    """A span as people say it: "6 hours"."""
    number = span.total_seconds() / 3600
    return "1 hour" if number == 1 else f"{number:g} hours"
