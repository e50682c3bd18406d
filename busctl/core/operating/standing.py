"""The daemons of a store, taken together: what a person asks first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from busctl.core.operating.journal import DaemonState

SILENT = timedelta(seconds=30)
"""A daemon tells of itself every few seconds; one not heard for longer has died or is cut off."""
WORSE = ("open", "half_open", "closed")
"""The first of them that a breaker is in tells of all."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Sums over the daemons that were heard lately, and how many were not. `breaker*` are the worst
    of all, "" without a daemon; `spool_*` are of different spools, in bytes."""

    daemons: int
    silent: int
    sessions: int
    inflight: int
    breaker: str
    breaker_reads: str
    spool_messages: int
    spool_bytes: int
    spool_oldest: datetime | None
    fallback: bool


def standing(daemons: Sequence[DaemonState], here: Mapping[str, Any], at: datetime) -> Standing:
    """`here` is the daemon that was asked, as its `snapshot` with its name as `daemon`, {} without
    one: it knows of itself better than the journal."""
    known = [_with(one, here, at) if one.daemon == here.get("daemon") else one for one in daemons]
    if here and not any(one.daemon == here["daemon"] for one in known):
        known.append(_from(here, at))
    heard = [one for one in known if is_heard(one, at)]
    # Daemons of one host may share a spool; who was asked comes last, and what it says counts.
    known.sort(key=lambda one: one.daemon == here.get("daemon"))
    spools = {(one.host, one.detail.get("spool") or one.daemon): one for one in known}.values()
    return Standing(
        len(heard), len(known) - len(heard),
        sum(one.sessions for one in heard), sum(one.inflight for one in heard),
        _worst([one.breaker for one in heard]),
        _worst([one.detail.get("breaker_reads", "closed") for one in heard]),
        sum(one.spool_messages for one in spools), sum(one.spool_bytes for one in spools),
        min((one.spool_oldest for one in spools if one.spool_oldest), default=None),
        any(one.fallback for one in heard),
    )  # fmt: skip


def is_heard(one: DaemonState, at: datetime) -> bool:
    """Whether it has told of itself lately."""
    return one.seen_at > at - SILENT


def _worst(states: Sequence[str]) -> str:
    return next((each for each in WORSE if each in states), "")


def _with(one: DaemonState, here: Mapping[str, Any], at: datetime) -> DaemonState:
    now = _from(here, at)
    return replace(now, host=one.host, detail={**one.detail, **now.detail})


def _from(here: Mapping[str, Any], at: datetime) -> DaemonState:
    spool = here.get("spool") or {}
    oldest = spool.get("oldest")
    return DaemonState(
        here["daemon"], "", here["pid"], "", at, at, here["breaker"], at,
        spool.get("messages", 0), spool.get("bytes", 0),
        datetime.fromisoformat(oldest) if oldest else None, here["sessions"], here["inflight"],
        here["enabled"], here["fallback"], {"breaker_reads": here["breaker_reads"]},
    )  # fmt: skip
