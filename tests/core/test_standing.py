"""The daemons of a store, taken together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from busctl.core.operating.journal import DaemonState
from busctl.core.operating.standing import SILENT, standing

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)


def daemon(name: str, *, ago: float = 1, **fields: Any) -> DaemonState:
    """A daemon that told of itself some seconds ago."""
    seen = AT - timedelta(seconds=ago)
    state = {"breaker": "closed", "sessions": 2, "inflight": 1, **fields}
    return DaemonState(name, "host", 1, "1", AT, seen, breaker_since=AT, **state)


def here(name: str, **fields: Any) -> dict[str, Any]:
    """As a daemon tells of itself."""
    return {
        "daemon": name, "pid": 1, "sessions": 7, "inflight": 3, "breaker": "closed",
        "breaker_reads": "closed", "enabled": True, "fallback": True, "spool": None, **fields,
    }  # fmt: skip


def test_it_sums_what_is_heard_and_names_the_worst() -> None:
    found = standing([daemon("a"), daemon("b", breaker="half_open")], {}, AT)
    assert (found.daemons, found.silent, found.sessions, found.inflight) == (2, 0, 4, 2)
    assert (found.breaker, found.breaker_reads) == ("half_open", "closed")


def test_one_that_fell_silent_counts_as_such() -> None:
    found = standing([daemon("a", ago=SILENT.total_seconds() + 1, breaker="open")], {}, AT)
    assert (found.daemons, found.silent, found.sessions, found.breaker) == (0, 1, 0, "")


def test_who_is_asked_knows_better_than_the_journal() -> None:
    spool = {"messages": 5, "bytes": 50, "aside": 0, "oldest": AT.isoformat()}
    said = here("a", breaker="open", spool=spool)
    journal = [daemon("a", ago=900, spool_messages=1), daemon("b")]
    found = standing(journal, said, AT)
    assert (found.daemons, found.silent, found.sessions) == (2, 0, 9)
    assert (found.breaker, found.spool_messages, found.spool_oldest) == ("open", 5, AT)
    assert standing([], said, AT).spool_bytes == 50


def test_a_spool_that_daemons_share_is_counted_once() -> None:
    shared: dict[str, Any] = {"detail": {"spool": "/var/spool"}, "spool_messages": 4}
    journal = [daemon("a", **shared), daemon("b", **shared)]
    assert standing(journal, {}, AT).spool_messages == 4
    fresh = here("a", spool={"messages": 9, "bytes": 1, "aside": 0, "oldest": None})
    assert standing(journal, fresh, AT).spool_messages == 9


def test_without_a_daemon_there_is_no_breaker() -> None:
    assert standing([], {}, AT).breaker == ""
