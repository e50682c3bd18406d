"""`busctl top` and `busctl dashboard`."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.cli.commands import busctl
from tests.e2e.daemons import daemon


def test_top_counts_what_was_put_without_a_daemon(database: str) -> None:
    for tool in ("search", "search", "fetch\x1b[2J"):
        assert busctl(database, "put", "-", "--tool", tool, given=b"x" * 2000).code == 0
    found = busctl(database, "top", "--once", "--json").json
    assert (found["window"], found["messages"], found["payload_bytes"]) == ("15m", 3, 6000)
    assert found["sizes"] == [0, 3, 0, 0, 0, 0]
    assert {one["tool_name"]: one["messages"] for one in found["tools"]} == {
        "search": 2, "fetch\x1b[2J": 1,
    }  # fmt: skip
    assert sum(one["messages"] for one in found["steps"]) == 3
    assert (found["daemons"], found["alerts"], found["load"]["pending"]) == ([], [], 3)
    assert len(found["recent"]) == 3
    rates = found["rates"]
    assert rates["messages"] > 0 and rates["payload_bytes"] > 2000 * rates["messages"] - 1e-6
    assert (rates["errors"], rates["deliveries"]) == (0, 0) and rates["p95_ms"] > 0

    shown = busctl(database, "top", "--window", "1h").text
    assert (
        "1h: 3 messages" in shown
        and "no daemon" in shown
        and "search" in shown
        and "now    0." in shown
        and "at most 2.0 KB" in shown
    )
    assert "\x1b" not in shown


def test_a_daemon_that_has_died_is_not_shown_as_it_was(database: str, tmp_path: Path) -> None:
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:
        assert "breaker closed, 0 running" in busctl(database, "top", "--once").text
        running.process.kill()
    with psycopg.connect(database, autocommit=True) as session:
        session.execute("update bus.daemon set seen_at = seen_at - interval '31 seconds'")
    shown = busctl(database, "top", "--once").text
    assert "not heard of since" in shown and "breaker closed" not in shown


def test_top_refuses_a_window_that_is_none(database: str) -> None:
    done = busctl(database, "top", "--window", "2y")
    assert done.code == 2 and "15m, 1h, 24h, 7d" in done.err


def test_dashboard_says_that_no_daemon_answers(database: str) -> None:
    done = busctl(database, "dashboard", "-s", "BUSCTL_PORT=1")
    assert done.code == 3 and "busctl serve" in done.err
