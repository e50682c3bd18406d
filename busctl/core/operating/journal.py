"""What daemons say of themselves: how each of them is, and what happened to the system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a system event tells. `detail` has the particulars."""

    BREAKER_OPENED = "breaker_opened"
    BREAKER_HALF_OPEN = "breaker_half_open"
    BREAKER_CLOSED = "breaker_closed"
    STORE_AWAY = "store_away"
    STORE_BACK = "store_back"
    FELL_BACK = "fell_back"
    RECONCILED = "reconciled"
    SPOOL_REFUSED = "spool_refused"
    SPOOL_DAMAGED = "spool_damaged"
    SPOOL_EXPIRED = "spool_expired"
    CLIENTS_REFUSED = "clients_refused"
    EVENTS_DROPPED = "events_dropped"
    ALERT_RAISED = "alert_raised"
    ALERT_CLEARED = "alert_cleared"
    ALERT_UNDELIVERED = "alert_undelivered"


@dataclass(frozen=True, slots=True)
class SystemEvent:
    """One line of the system's own trail; `daemon` is who says it, `detail` small JSON."""

    at: datetime
    daemon: str
    kind: Kind
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DaemonState:
    """How a daemon was at `seen_at` (the server's time; ignored when it is written).

    `spool_*` are of the spool of its host, which several daemons may share: `detail["spool"]` is
    its folder. Sizes in bytes.
    """

    daemon: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    breaker: str
    breaker_since: datetime
    spool_messages: int = 0
    spool_bytes: int = 0
    spool_oldest: datetime | None = None
    sessions: int = 0
    inflight: int = 0
    enabled: bool = True
    fallback: bool = True
    detail: Mapping[str, Any] = field(default_factory=dict)
