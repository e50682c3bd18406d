"""What a real daemon tells Prometheus: promtool takes it, and Grafana's queries; every metric that
they name is told."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.adapters.bus_sql import eventually
from tests.cli.commands import busctl, start
from tests.conditions.prometheus.server import Prometheus, scraping
from tests.conditions.test_prometheus_rules import promtool
from tests.docs.examples import DOCS
from tests.docs.metrics_table import metrics
from tests.e2e.daemons import TOKEN, Running, daemon, session
from tests.gate import LOOSE_ENDS, gate_to

GRAFANA = DOCS / "grafana" / "busctl.json"
pytestmark = LOOSE_ENDS
INTERVAL = re.compile(r"\$__rate_interval")
PATIENCE_SECS = 20


def told(running: Running) -> str:
    with urllib.request.urlopen(f"{running.url}/metrics", timeout=10) as response:
        text: bytes = response.read()
    return text.decode()


def checked(text: str) -> None:
    """promtool's own view of names, types and units."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


async def test_a_daemon_tells_what_it_and_its_store_do(database: str, tmp_path: Path) -> None:
    await asyncio.to_thread(busctl, database, "cleanup", "-q")
    budget = {"BUSCTL_DB_MAX_BYTES": "400000000"}
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state"), **budget) as running:
        async with session(running) as client:
            await client.call("text", {"value": "x" * 5000}, request_id="one-of-a-kind")
            await client.call("blob", {"size_bytes": 2_000_000})

        async def looked() -> bool:
            return "busctl_last_cleanup_timestamp_seconds" in told(running)

        await eventually(looked, "the daemon looks at its store")
        text = told(running)
    checked(text)
    assert 'busctl_stored_bytes_bucket{le="1000.0"}' in text
    assert "busctl_stored_bytes_count 2.0" in text
    assert "busctl_pool_connections_limit 4.0" in text
    assert re.search(r"^busctl_database_bytes [1-9]", text, re.MULTILINE)
    assert "busctl_quota_bytes 4e+08" in text
    assert "one-of-a-kind" not in text


async def test_who_only_looks_on_is_no_label(database: str, tmp_path: Path) -> None:
    """Each `tail -f` has a place of its own, under an id."""
    await asyncio.to_thread(busctl, database, "watch", "-q", "--once", "--name", "eye")
    looking = start(database, "tail", "-f", "--json")
    await asyncio.to_thread(busctl, database, "put", "-", given=b"x")
    assert looking.stdout is not None
    await asyncio.to_thread(looking.stdout.readline)
    followers = await asyncio.to_thread(busctl, database, "watch", "--list", "--json")
    assert len(followers.json["followers"]) == 2
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:

        async def told_of_eye() -> bool:
            return 'busctl_follower_lag_seconds{follower="eye"}' in told(running)

        await eventually(told_of_eye, "the daemon looks at its store")
        assert told(running).count("busctl_follower_lag_seconds{") == 1
    looking.terminate()
    looking.communicate()


def test_a_cleanup_tells_how_it_went(database: str, tmp_path: Path) -> None:
    target = tmp_path / "cleanup.prom"
    assert busctl(database, "cleanup", "-q", "--dry-run", "--metrics-file", target).code == 0
    assert not target.exists()
    assert busctl(database, "cleanup", "-q", "--metrics-file", target).code == 0
    checked(target.read_text())
    assert "busctl_cleanup_ok 1.0" in target.read_text()
    nowhere = busctl(database, "cleanup", "-q", "--metrics-file", tmp_path / "no" / "x.prom")
    assert nowhere.code != 0 and "cannot be written" in nowhere.err


def test_grafana_asks_what_prometheus_understands_and_the_daemon_tells(tmp_path: Path) -> None:
    dashboard = json.loads(GRAFANA.read_text("utf-8"))
    asked = [each["expr"] for panel in dashboard["panels"] for each in panel["targets"]]
    assert len(asked) > 20
    rules = [
        {"record": f"grafana:query:{number}", "expr": INTERVAL.sub("5m", expr)}
        for number, expr in enumerate(asked)
    ]
    groups = {"groups": [{"name": "grafana", "rules": rules}]}
    (tmp_path / "queries.yml").write_text(json.dumps(groups))
    promtool("check", "rules", "queries.yml", cwd=tmp_path)
    known = {
        sample
        for one in metrics()
        for sample in (one.name, f"{one.name}_total", f"{one.name}_bucket")
    }
    used = set(re.findall(r"\b(busctl_\w+)\b", " ".join(asked)))
    assert used <= known, used - known


async def test_every_query_of_grafana_has_an_answer(database: str, tmp_path: Path) -> None:
    """Of a real Prometheus, with the labels that its legend names. What happens for the first time
    is an increase: its series was there before, at zero."""
    await asyncio.to_thread(busctl, database, "cleanup", "-q")
    await asyncio.to_thread(busctl, database, "watch", "-q", "--once")
    settings = {
        "BUSCTL_STATE_DIR": str(tmp_path / "state"), "BUSCTL_DB_MAX_BYTES": "400000000",
        "MESSAGE_BUS_CIRCUIT_BREAKER_TIMEOUT_SECS": "1", "MESSAGE_BUS_WRITE_TIMEOUT_SECS": "1",
        "BUSCTL_CONNECT_TIMEOUT_SECS": "2",
    }  # fmt: skip
    with gate_to(database) as gate:
        gate.open()
        with (
            daemon(gate.dsn, **settings) as running,
            scraping(running.port, tmp_path / "prometheus") as prometheus,
        ):
            async with session(running) as client:
                await client.call("text", {"value": "cut [truncated]"})
                claim = (await client.call("blob", {"size_bytes": 300_000}))["claim"]
                await asyncio.to_thread(redeemed, running, claim["transaction_id"])
                gate.shut()
                await client.call("text", {"value": "x"})
                gate.open()
            seen = "increase(busctl_reconciled_total[5m])"
            while await asyncio.to_thread(prometheus.sum, seen) <= 0:
                await asyncio.sleep(0.2)
            await asyncio.to_thread(answered, prometheus)
            for first in ("fell_back_total", "truncation_suspected_total"):
                assert prometheus.sum(f"increase(busctl_{first}[5m])") > 0, first
            assert prometheus.sum("increase(busctl_hop_mismatch_total[5m])") == 0


def redeemed(running: Running, transaction_id: str) -> None:
    wanted = urllib.request.Request(
        f"{running.url}/messages/{transaction_id}", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with urllib.request.urlopen(wanted, timeout=30) as response:
        assert len(response.read()) == 300_000


def answered(prometheus: Prometheus) -> None:
    for panel in json.loads(GRAFANA.read_text("utf-8"))["panels"]:
        for each in panel["targets"]:
            if "busctl_upstream" in each["expr"]:
                continue  # this daemon has none behind it; tests/e2e/test_upstreams.py has
            query = INTERVAL.sub("5m", each["expr"]).replace("$instance", ".*")
            until = time.monotonic() + PATIENCE_SECS
            while not (found := prometheus.ask(query)) and time.monotonic() < until:
                time.sleep(0.2)  # a rate needs two scrapes of a series that is new
            assert found, f"{panel['title']}: nothing for {query}"
            named = set(re.findall(r"\{\{(\w+)\}\}", each["legendFormat"]))
            assert all(named <= set(one["metric"]) for one in found), (query, found)
