"""The store goes away under a real daemon, and comes back: nothing is lost, nothing runs twice,
and what each message went through can be counted."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from busctl.adapters.spool import FileSpool
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from tests.adapters.bus_sql import eventually, sql
from tests.e2e.daemons import TOKEN, Running, daemon, environment, session
from tests.gate import LOOSE_ENDS, gate_to

pytestmark = LOOSE_ENDS

QUICK = {
    "MESSAGE_BUS_CIRCUIT_BREAKER_THRESHOLD": "2", "MESSAGE_BUS_CIRCUIT_BREAKER_TIMEOUT_SECS": "1",
    "BUSCTL_CONNECT_TIMEOUT_SECS": "2", "MESSAGE_BUS_WRITE_TIMEOUT_SECS": "1",
    "MESSAGE_BUS_READ_TIMEOUT_SECS": "1",
}  # fmt: skip
MEGABYTE = 1_000_000


def settings(folder: Path, **more: str) -> dict[str, str]:
    return {**QUICK, "BUSCTL_STATE_DIR": str(folder / "state"), **more}


def http(running: Running, path: str) -> tuple[int, bytes]:
    request = urllib.request.Request(
        running.url + path, headers={"Authorization": f"Bearer {TOKEN}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


async def ask(running: Running, path: str) -> tuple[int, bytes]:
    return await asyncio.to_thread(http, running, path)


async def command(dsn: str, folder: Path, *words: str) -> tuple[int, bytes, str]:
    def run() -> tuple[int, bytes, str]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "busctl", *words],
            env=environment(dsn, **settings(folder)), cwd=folder, capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr.decode()

    return await asyncio.to_thread(run)


async def is_away(running: Running) -> None:
    """The daemon has noticed."""

    async def away() -> bool:
        status, _ = await ask(running, "/readyz")
        return status == 503

    await eventually(away, "readyz says 503")


async def is_drained(folder: Path) -> None:
    async def empty() -> bool:
        return not list((folder / "state" / "spool").rglob("*.msg"))

    await eventually(empty, "the spool is drained")


async def test_answers_pass_while_the_store_is_away_and_are_stored_afterwards(
    database: str, tmp_path: Path
) -> None:
    marker, hint = tmp_path / "ran", tmp_path / "answer"
    hint.write_text("the answer")
    with gate_to(database) as gate:
        with daemon(gate.dsn, **settings(tmp_path)) as running:
            async with session(running, session_id="one") as client:
                before = await client.call("text", {"value": "before"}, request_id="r0")
                assert "spooled" not in before
                gate.shut()
                await is_away(running)

                small = await client.call("text", {"value": "small"}, request_id="r1")
                assert small["spooled"] is True
                assert small["outputs"] == [{"type": "text", "text": "small"}]

                large = await client.call("blob", {"size_bytes": 3 * MEGABYTE}, request_id="r2")
                claim = large["claim"]
                assert claim["spooled"] is True
                expected = bytes(index % 251 for index in range(3 * MEGABYTE))
                assert claim["checksum"] == hashlib.sha256(expected).hexdigest()
                opened, found = await client.fetch(claim["transaction_id"])
                assert found == expected
                assert opened["spooled"] is True
                part, some = await client.fetch(
                    claim["transaction_id"], offset=2 * MEGABYTE, length=99
                )
                assert (part["length"], some) == (99, expected[2 * MEGABYTE :][:99])
                assert await ask(running, f"/messages/{claim['transaction_id']}") == (200, expected)

                streamed = await client.call(
                    "stream", {"pieces": 60, "piece_bytes": 100_000}, request_id="r3"
                )
                _, found = await client.fetch(streamed["claim"]["transaction_id"])
                assert len(found) == 6 * MEGABYTE

                failed = await client.call("fail", {"words": "broken"}, request_id="r4")
                assert failed["error"]["code"] == "EXEC_ERROR"
                error_id = failed["error"]["transaction_id"]

                arguments = {"path": str(hint), "marker": str(marker)}
                once = await client.call("wait_for", arguments, request_id="r5")
                again = await client.call("wait_for", arguments, request_id="r5")
                assert again["transaction_id"] == once["transaction_id"]
                assert again["outputs"] == once["outputs"]
                assert marker.read_text() == "ran\n"
                # What was answered before cannot be told now, and is not run again either.
                lost = await client.call("text", {"value": "before"}, request_id="r0")
                assert lost["error"]["code"] == "STORE_UNAVAILABLE"
                assert lost["error"]["retry_after"] > 0

                async with session(running, accepts=(), max_message_bytes=100_000) as plain:
                    whole = await plain.call("text", {"value": "w" * 70_000})
                    assert whole["outputs"][0]["text"] == "w" * 70_000
                    refused = await plain.call("text", {"value": "t" * 200_000})
                    assert refused["error"]["code"] == "TOO_LARGE"

                status, out, _ = await command(gate.dsn, tmp_path, "get", claim["transaction_id"])
                assert (status, out) == (0, expected)
                _, out, _ = await command(gate.dsn, tmp_path, "show", error_id, "--json")
                shown = json.loads(out)
                assert shown["envelope"]["message_type"] == "error"
                assert [one["kind"] for one in shown["events"]] == ["fell_back"]
                status, out, said = await command(gate.dsn, tmp_path, "reconcile")
                assert status == 3, said
                status, out, _ = await command(
                    gate.dsn, tmp_path, "reconcile", "--dry-run", "--json"
                )
                looked = json.loads(out)
                assert (status, looked["checked"], looked["ok"]) == (1, 7, False)

                _, ready = await ask(running, "/readyz?verbose")
                health = json.loads(ready)
                assert (health["ok"], health["breaker"]) == (False, "open")
                assert health["spool"]["messages"] == 7
                metrics = (await ask(running, "/metrics"))[1].decode()
                assert 'busctl_breaker_state{side="writes",state="open"} 1.0' in metrics
                assert 'busctl_fell_back_total{reason="STORE_UNAVAILABLE"} 7.0' in metrics

                gate.open()
                await is_drained(tmp_path)
                again = await client.call("wait_for", arguments, request_id="r5")
                assert again["transaction_id"] == once["transaction_id"]
                assert "spooled" not in again
                after = await client.call("text", {"value": "after"}, request_id="r9")
                assert "spooled" not in after
                _, found = await client.fetch(claim["transaction_id"])
                assert found == expected

            assert marker.read_text() == "ran\n"
            await all_is_told(database, running)
            await all_hops_are_seen(database, tmp_path, claim["transaction_id"])
            # Read three times from the spool, a part and over HTTP too, and once from the store.
            await is_delivered(database, claim["transaction_id"], 4)
            await is_delivered(database, streamed["claim"]["transaction_id"], 1)
            await is_delivered(database, small["transaction_id"], 1)
            assert await sql(database, "select path, messages from bus.paths order by path") == [
                ("reconciled", 7), ("stored", 2), ("waiting", 0)
            ]  # fmt: skip
            assert running.stop() == 0
        assert await sql(database, "select from bus.daemon") == []
    await digests_agree(database, UUID(refused["error"]["transaction_id"]))


async def all_is_told(database: str, running: Running) -> None:
    """The journal gets what happened while the store was away, in its order."""

    async def told() -> bool:
        kinds = {kind for (kind,) in await sql(database, "select kind from bus.system_event")}
        return kinds >= {
            "store_away", "breaker_opened", "fell_back", "breaker_half_open", "breaker_closed",
            "store_back", "reconciled",
        }  # fmt: skip

    await eventually(told, "the journal is written")
    (row,) = await sql(database, "select breaker, spool_messages, fallback, alive from bus.daemons")
    assert row == ("closed", 0, True, True)
    metrics = (await ask(running, "/metrics"))[1].decode()
    assert 'busctl_reconciled_total{fate="stored"} 7.0' in metrics
    events = await sql(
        database,
        "select kind, count(*), count(distinct transaction_id) from bus.message_event "
        "where kind in ('fell_back', 'reconciled') group by kind order by kind",
    )
    assert events == [("fell_back", 7, 7), ("reconciled", 7, 7)]


async def all_hops_are_seen(database: str, folder: Path, transaction_id: str) -> None:
    """What the daemon had measured while the store was away is in the trail as well."""

    async def traced() -> bool:
        status, out, _ = await command(database, folder, "trace", transaction_id, "--json")
        hops = {one["hop"] for one in json.loads(out)["hops"]}
        return status == 0 and hops >= {"tool", "daemon", "spool", "store", "read", "wire"}

    await eventually(traced, "every hop is told")


async def is_delivered(database: str, transaction_id: str, times: int) -> None:
    """What was delivered from the spool is counted once the store has the message."""
    query = "select status::text, retrieved_count from bus.message_bus where transaction_id = %s"

    async def counted() -> bool:
        return await sql(database, query, UUID(transaction_id)) == [("delivered", times)]

    await eventually(counted, f"{times} deliveries are counted")


async def digests_agree(database: str, too_large: UUID) -> None:
    assert (
        await sql(database, "select bus.damaged_parts(transaction_id) from bus.message_bus") == []
    )
    (row,) = await sql(
        database, "select payload_size_bytes from bus.message_bus where transaction_id = %s",
        too_large,
    )  # fmt: skip
    assert row == (200_000,)


async def test_a_daemon_starts_while_the_store_is_away_and_recovers(
    database: str, tmp_path: Path
) -> None:
    with gate_to(database) as gate:
        gate.shut()
        with daemon(gate.dsn, **settings(tmp_path)) as running:
            status, said = await ask(running, "/readyz")
            assert status == 503, said
            assert b"store unavailable: " in said
            async with session(running) as client:
                answer = await client.call("text", {"value": "early"})
                assert answer["spooled"] is True
                gate.open()
                await is_drained(tmp_path)
                later = await client.call("text", {"value": "later"})
                assert "spooled" not in later
            rows = await sql(database, "select count(*) from bus.message_bus")
            assert rows == [(2,)]


async def test_without_falling_back_a_call_fails_by_name(database: str, tmp_path: Path) -> None:
    off = settings(tmp_path, MESSAGE_BUS_FALLBACK_TO_WEBSOCKET="false")
    with gate_to(database) as gate, daemon(gate.dsn, **off) as running:
        assert "MESSAGE_BUS_FALLBACK_TO_WEBSOCKET=false" in running.log
        gate.shut()
        async with session(running) as client:
            for request_id in (None, "named"):
                named = {} if request_id is None else {"request_id": request_id}
                answer = await client.call("text", {"value": "x"}, **named)
                assert answer["error"]["code"] == "STORE_UNAVAILABLE"
                assert answer["error"]["retry_after"] > 0
        assert not (tmp_path / "state" / "spool").exists()


async def test_switched_off_the_bus_stores_nothing_and_says_so(
    database: str, tmp_path: Path
) -> None:
    with daemon(database, **settings(tmp_path, MESSAGE_BUS_ENABLED="false")) as running:
        assert "MESSAGE_BUS_ENABLED=false" in running.log
        status, said = await ask(running, "/readyz")
        assert (status, said) == (200, b"ok (the bus is switched off: nothing is stored)\n")
        async with session(running, max_message_bytes=200_000) as client:
            answer: dict[str, Any] = {}
            for name in ("once", "twice"):
                answer = await client.call("letters", {"count": 70_000 // 2}, request_id=name)
                assert answer["stored"] is False
                assert answer["outputs"][0]["text"] == "é" * (70_000 // 2)
            refused = await client.call("text", {"value": "t" * 300_000})
            assert refused["error"]["code"] == "TOO_LARGE"
            fetched, _ = await client.fetch(answer["transaction_id"])
            assert fetched["error"]["code"] == "DISABLED"
            await client.say("health")
            assert (await client.hear_op("health_res"))["health"]["store"] == "disabled"
        status, _ = await ask(running, f"/messages/{answer['transaction_id']}")
        assert status == 503
        assert running.stop() == 0
    assert await sql(database, "select count(*) from bus.message_bus") == [(0,)]


async def test_a_full_spool_refuses_before_the_tool_runs(database: str, tmp_path: Path) -> None:
    marker, hint = tmp_path / "ran", tmp_path / "answer"
    hint.write_text("the answer")
    small = settings(tmp_path, BUSCTL_SPOOL_MAX_MB="0.1")
    with gate_to(database) as gate, daemon(gate.dsn, **small) as running:
        gate.shut()
        await is_away(running)
        async with session(running) as client:
            refused = await client.call("text", {"value": str(list(range(200_000)))})
            assert refused["error"]["code"] == "SPOOL_FULL"
            assert "busctl reconcile" in refused["error"]["message"]
            answer = await client.call("text", {"value": "fits"})
            while "error" not in answer:
                answer = await client.call("letters", {"count": 1000})
            assert answer["error"]["code"] == "SPOOL_FULL"
            arguments = {"path": str(hint), "marker": str(marker)}
            answer = await client.call("wait_for", arguments)
            assert answer["error"]["code"] == "SPOOL_FULL"
            assert not marker.exists()
            gate.open()
            await is_drained(tmp_path)
            answer = await client.call("wait_for", arguments)
            assert answer["outputs"][0]["text"] == "the answer"


@pytest.mark.parametrize("size", [1_000, 3 * MEGABYTE])
async def test_a_frozen_server_is_waited_for_once(database: str, tmp_path: Path, size: int) -> None:
    """It takes lines and carries nothing, as a server does that was stopped: whoever gave it up
    does not wait for it to agree. The write time-out is the bound, also of taking a row and of
    taking chunks after the lease was had."""
    frozen = settings(tmp_path, MESSAGE_BUS_WRITE_TIMEOUT_SECS="3")
    with gate_to(database) as gate, daemon(gate.dsn, **frozen) as running:
        async with session(running) as client:
            await client.call("blob", {"size_bytes": size}, request_id="warm")
            gate.stall()
            began = perf_counter()
            answer = await client.call("blob", {"size_bytes": size}, request_id="frozen")
            seconds = perf_counter() - began
    assert (answer.get("claim") or answer)["spooled"] is True
    assert seconds < 2 * 3


async def test_what_waited_too_long_for_a_daemon_is_stored_if_the_store_takes_it(
    database: str, tmp_path: Path
) -> None:
    """The host was down, not the store: its age is no reason to set it aside."""
    chosen = settings(tmp_path, BUSCTL_SPOOL_DIR=str(tmp_path / "spool"))
    chosen["BUSCTL_SPOOL_MAX_AGE_HOURS"] = "0.0001"
    spool = FileSpool(tmp_path / "spool", MEGABYTE)
    own = Settings(database_url=SecretStr(database))
    async with Bus.connect(own) as bus:
        waiting = Bus(bus.store, own, bus.clock, sink=spool.sink("STORE_UNAVAILABLE", "d"))
        claim = await waiting.put(b"waited")
        await asyncio.sleep(0.5)
        with daemon(database, **chosen):

            async def drained() -> bool:
                return not spool.ids()

            await eventually(drained, "the spool is drained")
        assert spool.extent().aside == 0
        assert await bus.get(claim.transaction_id) == b"waited"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_what_happened_while_the_store_was_away_outlives_the_daemon(
    database: str, tmp_path: Path, number: int
) -> None:
    """It ends, or is killed, before the store is back; the next one tells the journal."""
    with gate_to(database) as gate:
        with daemon(gate.dsn, **settings(tmp_path)) as first:
            gate.shut()
            await is_away(first)
            async with session(first) as client:
                for name in ("one", "two", "three"):
                    await client.call("text", {"value": "x"}, request_id=name)

            async def kept() -> bool:
                files = list((tmp_path / "state" / "spool").glob("*/events/*.json"))
                return any("breaker_opened" in each.read_text() for each in files) and any(
                    '"messages": 3' in each.read_text() for each in files
                )

            await eventually(kept, "the events are on the disk")
            first.process.send_signal(number)
            first.process.wait(60)
        gate.open()
        with daemon(gate.dsn, **settings(tmp_path)):

            async def told() -> bool:
                rows = await sql(database, "select kind, detail from bus.system_event")
                fallen = [detail["messages"] for kind, detail in rows if kind == "fell_back"]
                return sum(fallen) == 3 and "breaker_opened" in {kind for kind, _ in rows}

            await eventually(told, "the next daemon has told the journal")
    assert not list((tmp_path / "state" / "spool").glob("*/events/*.json"))


async def test_what_a_daemon_could_tell_at_its_end_is_told_once(
    database: str, tmp_path: Path
) -> None:
    """The store is back just before it stops: what was on the disk is told by itself."""
    with gate_to(database) as gate:
        with daemon(gate.dsn, **settings(tmp_path)) as running:
            gate.shut()
            await is_away(running)

            async def kept() -> bool:
                return bool(list((tmp_path / "state" / "spool").glob("*/events/*.json")))

            await eventually(kept, "the events are on the disk")
            gate.open()

            async def closed() -> bool:
                _, body = await ask(running, "/readyz?verbose")
                health = json.loads(body)
                return {health["breaker"], health["breaker_reads"]} == {"closed"}

            await eventually(closed, "the breakers are closed")
            assert running.stop() == 0
        assert not list((tmp_path / "state" / "spool").glob("*/events/*.json"))
    known = await sql(database, "select at, kind from bus.system_event")
    assert "store_away" in {kind for _, kind in known}
    assert len(known) == len(set(known))  # on a busy machine it may be away twice, told once each


async def test_the_row_of_a_daemon_that_died_here_leaves(database: str, tmp_path: Path) -> None:
    """Of this host, gone, and silent: all three, else it may live where we do not see it."""
    host, gone = socket.gethostname(), 2**22 - 1
    rows = {
        f"{host}:{gone}:dead": 60, f"{host}:{gone}:lately": 0, f"{host}:{os.getpid()}:lives": 60,
        f"elsewhere:{gone}:dead": 60,
    }  # fmt: skip
    for name, silent in rows.items():
        await sql(
            database,
            "insert into bus.daemon (daemon, host, pid, version, started_at, seen_at, breaker, "
            f"breaker_since) values ('{name}', split_part('{name}', ':', 1), 1, 'v', now(), "
            f"now() - interval '{silent} s', 'closed', now())",
        )
    with daemon(database, **settings(tmp_path)):

        async def left() -> bool:
            known = {name for (name,) in await sql(database, "select daemon from bus.daemon")}
            return rows.keys() - known == {f"{host}:{gone}:dead"}

        await eventually(left, "one row has left")
