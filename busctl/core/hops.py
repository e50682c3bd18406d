"""The hops of a payload: where it passes on its way, and what each of them measures there.

A digest is told only by the hop that took it. One that has counted the bytes and not hashed them
says their size alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any

from busctl.core.codec import Buffer


class Hop(StrEnum):
    """The places, in the order in which an answer passes them."""

    TOOL = "tool"
    DAEMON = "daemon"
    STORE = "store"
    WIRE = "wire"
    CLIENT = "client"


PRODUCED = "produced"
"""Event: the bytes as they left the tool."""
ACCEPTED = "accepted"
"""Event: the bytes as the daemon gave them to the bus."""
SENT = "sent"
"""Event: the bytes as they went to a client; the detail `via` says how."""
RECEIVED = "received"
"""Event: the bytes as a client reported them."""


class Measure:
    """Counts and hashes what passes, piece by piece."""

    def __init__(self) -> None:
        self.size = 0
        self._digest = sha256()

    def add(self, piece: Buffer) -> None:
        self._digest.update(piece)
        self.size += len(piece)

    @property
    def checksum(self) -> str:
        """SHA-256 in lowercase hex."""
        return self._digest.hexdigest()

    def as_detail(self) -> dict[str, Any]:
        return measured(self.size, self.checksum)


def measured(size: int, checksum: str | None = None) -> dict[str, Any]:
    """The detail of an event that tells a measurement."""
    return {"size": size} if checksum is None else {"size": size, "checksum": checksum}


def differs(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether two measurements contradict each other; what one of them lacks does not."""
    return any(
        name in before and name in after and before[name] != after[name]
        for name in ("size", "checksum")
    )
