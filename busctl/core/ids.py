"""Transaction ids: UUIDv7 (RFC 9562 §5.7), 48 bits of Unix milliseconds, then version and random.

UUIDv7 order is time order, so ranges of ids are ranges of time: that is what partitions, `--since`
and expiry stand on. It is not commit order.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from busctl.core.errors import InvalidId

UUID_VERSION = 7
MAX_UNIX_MS = (1 << 48) - 1
RANDOM_BYTES = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
_PRINTED = re.compile(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def make_id(unix_ms: int, random: bytes) -> UUID:
    """Build a UUIDv7 from Unix milliseconds and 10 random bytes (74 bits of them are used)."""
    if not 0 <= unix_ms <= MAX_UNIX_MS:
        raise InvalidId(f"{unix_ms} ms is not a time that a UUIDv7 can hold.", remedy="")
    entropy = int.from_bytes(random[:RANDOM_BYTES], "big")
    rand_a = entropy >> 68
    rand_b = entropy & ((1 << 62) - 1)
    return UUID(int=unix_ms << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)


def first_id(unix_ms: int) -> UUID:
    """The smallest 128-bit value of that millisecond: a lower bound for ranges, not an id."""
    return UUID(int=unix_ms << 80)


def unix_ms_of(transaction_id: UUID) -> int:
    """The id's own time in Unix milliseconds."""
    return transaction_id.int >> 80


def time_of(transaction_id: UUID) -> datetime:
    """The id's own time, UTC. Raises InvalidId for a time past the year 9999."""
    try:
        return EPOCH + unix_ms_of(transaction_id) * MILLISECOND
    except OverflowError as error:
        raise InvalidId(
            f"{transaction_id} holds a time past the year 9999.", transaction_id=transaction_id
        ) from error


def unix_ms(moment: datetime) -> int:
    """Unix milliseconds of an aware datetime, rounded down."""
    # Not from timestamp(): a float is now and then a millisecond off.
    return (moment - EPOCH) // MILLISECOND


def parse_id(text: str) -> UUID:
    """Read an id as printed (`bus://` in front is allowed). Raises InvalidId."""
    printed = text.strip().removeprefix("bus://")
    # Not UUID alone: it takes signs, underscores and other scripts' digits for hexadecimal.
    if not _PRINTED.fullmatch(printed):
        raise InvalidId(f"{text!r} is not a transaction id.")
    found = UUID(printed)
    if found.version != UUID_VERSION:
        raise InvalidId(f"{found} is not a UUIDv7, so it is no transaction id.")
    return found
