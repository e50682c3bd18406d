"""How a daemon starts, goes and dies: told to stop, killed, its clients killed."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from tests.adapters.bus_sql import eventually, sessions, sql
from tests.e2e.daemons import (
    TOKEN,
    Running,
    daemon,
    environment,
    raw,
    session,
    spawn,
    wait_until_ready,
)


async def ended(running: Running) -> int:
    return await asyncio.to_thread(running.process.wait, 60)


def appear(path: Path, text: str) -> None:
    """A file that is there is whole: the tool reads it as soon as it sees it."""
    aside = path.with_suffix(".new")
    aside.write_text(text)
    aside.rename(path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_lets_running_calls_finish(
    database: str, tmp_path: Path, number: int
) -> None:
    gate = tmp_path / "gate"
    with daemon(database) as running:
        async with session(running) as client:
            call = {"name": "wait_for", "arguments": {"path": str(gate)}, "request_id": "r"}
            await client.say("call_tool", **call)
            await client.hear_op("call_tool_ack")
            running.process.send_signal(number)
            await until(lambda: "draining" in running.log)
            refused = await client.call("text", {"value": "late"}, request_id="late")
            assert refused["error"]["code"] == "OVER_CAPACITY"
            assert refused["error"]["retry_after"] > 0
            with pytest.raises(OSError):
                async with raw(running):
                    pass
            appear(gate, "finished")
            answer = await client.hear_op("call_tool_res", "r")
            assert answer["outputs"][0]["text"] == "finished"
            assert await client.closed() == 1012
        assert await ended(running) == 0
        assert not (running.folder / "ready.json").exists()
        assert "Traceback" not in running.log


async def test_a_claim_told_while_stopping_can_still_be_redeemed(
    database: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with daemon(database, MESSAGE_BUS_INLINE_MAX_BYTES="0") as running:
        async with session(running, accepts=("claim",)) as client:
            call = {"name": "wait_for", "arguments": {"path": str(gate)}, "request_id": "r"}
            await client.say("call_tool", **call)
            await client.hear_op("call_tool_ack")
            running.process.send_signal(signal.SIGTERM)
            await until(lambda: "draining" in running.log)
            appear(gate, "finished")
            answer = await client.hear_op("call_tool_res", "r")
            await asyncio.sleep(0.3)  # a client that thinks before it redeems
            claimed = answer["claim"]["transaction_id"]
            await client.say("fetch", request_id="f", transaction_id=claimed)
            assert (await client.hear_op("fetch_res", "f"))["payload_size_bytes"] == 8
            assert await client.closed() == 1012
        assert await ended(running) == 0


async def test_sigterm_tells_calls_that_take_too_long(database: str) -> None:
    with daemon(database, BUSCTL_DRAIN_TIMEOUT_SECS="0.2") as running:
        async with session(running) as client:
            await client.say("call_tool", name="hang", arguments={"seconds": 600}, request_id="r")
            await client.hear_op("call_tool_ack")
            running.process.send_signal(signal.SIGTERM)
            answer = await client.hear_op("call_tool_res", "r")
            assert answer["error"]["code"] == "TIMEOUT"
            assert "stopping" in answer["error"]["message"]
            assert await client.closed() == 1012
        assert await ended(running) == 0
    # The lease is given back: another daemon need not wait for it to run out.
    assert await sql(database, "select answered, lease_until <= now() from bus.request") == [
        (False, True)
    ]


async def test_a_second_signal_ends_at_once(database: str) -> None:
    with daemon(database, BUSCTL_DRAIN_TIMEOUT_SECS="3600") as running:
        async with session(running) as client:
            await client.say("call_tool", name="hang", arguments={"seconds": 600})
            await client.hear_op("call_tool_ack")
            running.process.send_signal(signal.SIGINT)
            await until(lambda: "draining" in running.log)
            running.process.send_signal(signal.SIGINT)
            assert await ended(running) == 128 + signal.SIGINT


async def test_a_daemon_killed_while_it_stores_leaves_nothing_half_visible(
    database: str,
) -> None:
    with daemon(database, MESSAGE_BUS_COMPRESSION="none") as running:
        async with session(running) as client:
            arguments = {"pieces": 900, "piece_bytes": 100_000}
            await client.say("call_tool", name="stream", arguments=arguments)
            await client.hear_op("call_tool_ack")

            async def storing() -> bool:
                found = await sql(
                    database,
                    "select 1 from pg_stat_activity where application_name = 'busctl' and "
                    "datname = current_database() and backend_xid is not null and "
                    "now() - xact_start > interval '50 ms'",
                )
                return bool(found)

            while not await storing():
                await asyncio.sleep(0.005)
            running.process.kill()
            await ended(running)
            with pytest.raises(ConnectionClosed):
                await client.hear_op("call_tool_res")

    async def gone() -> bool:
        return not await sessions(database)

    await eventually(gone, "the backends of the dead daemon end")
    assert await sql(database, "select count(*) from bus.message_bus") == [(0,)]
    assert await sql(database, "select count(*) from bus.message_chunk") == [(0,)]


READER = """
import asyncio, json, sys
from websockets.asyncio.client import connect

async def main(url, token, claim):
    async with connect(url, max_size=None, max_queue=1, compression=None) as connection:
        for frame in (
            {"op": "hello", "token": token, "accepts": ["claim"]},
            {"op": "fetch", "request_id": "f", "transaction_id": claim},
        ):
            await connection.send(json.dumps(frame))
        while not isinstance(await connection.recv(), bytes):
            pass
        print("reading", flush=True)
        await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_reader_that_stalls_or_dies_holds_no_connection(database: str) -> None:
    async def idle() -> bool:
        return [row[0] for row in await sessions(database)] == ["idle"]

    with daemon(database, BUSCTL_POOL_MAX_SIZE="1") as running:
        async with session(running) as client:
            made = await client.call("stream", {"pieces": 600, "piece_bytes": 100_000})
            claim = made["claim"]["transaction_id"]
            reader = await start_reader(running, claim)
            try:
                await asyncio.sleep(1)  # it has stopped reading in the meantime
                for number in range(5):
                    answer = await client.call("text", {"value": str(number)})
                    assert answer["outputs"][0]["text"] == str(number)
                await eventually(idle, "the store's connection is free")
            finally:
                reader.kill()
                await asyncio.to_thread(reader.wait)
            await until(lambda: '"session ended"' in running.log)
            _, payload = await client.fetch(claim, offset=59_999_999)
            assert payload == bytes([599 % 256])
            await eventually(idle, "the store's connection is free")
        assert "Traceback" not in running.log


async def start_reader(running: Running, claim: str) -> subprocess.Popen[bytes]:
    url = running.url.replace("http", "ws") + "/"
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, url, TOKEN, claim], stdout=subprocess.PIPE
    )
    assert reader.stdout is not None
    assert await asyncio.to_thread(reader.stdout.readline) == b"reading\n"
    reader.stdout.close()
    return reader


async def until(holds: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return holds()

    await eventually(asked, "what the test waits for")


# --- starting ------------------------------------------------------------------------------------


async def test_the_store_away_and_back_again(database: str, tmp_path: Path) -> None:
    health = tmp_path / "health.json"
    name = (await sql(database, "select current_database()"))[0][0]
    options = ("--health-file", str(health))
    with daemon(
        database, *options, BUSCTL_CONNECT_TIMEOUT_SECS="2",
        MESSAGE_BUS_FALLBACK_TO_WEBSOCKET="false", MESSAGE_BUS_CIRCUIT_BREAKER_TIMEOUT_SECS="1",
    ) as running:  # fmt: skip
        async with session(running) as client:
            assert "outputs" in await client.call("text", {"value": "x"}, request_id="1")
            await shut(database, name)
            answer = await client.call("text", {"value": "x"}, request_id="2")
            assert answer["error"]["code"] == "STORE_UNAVAILABLE"
            assert answer["error"]["retry_after"] > 0
            await client.say("health")
            assert (await client.hear_op("health_res"))["health"]["store"] == "unavailable"

            def told() -> bool:
                return bool(json.loads(health.read_text())["store"] == "unavailable")

            await until(told)
            await reopen(database, name)

            async def answered() -> bool:
                # A pooler believes in its last failure for a moment yet.
                return "outputs" in await client.call("text", {"value": "x"}, request_id="2")

            await eventually(answered, "the call is answered when the store is back")
        assert running.stop() == 0
        assert not health.exists()
        assert "Traceback" not in running.log


def elsewhere(dsn: str) -> str:
    """Another database of the same server."""
    return psycopg.conninfo.make_conninfo(dsn, dbname="postgres")


async def shut(dsn: str, name: str) -> None:
    """Let nobody into that database any more, and throw out who is in."""
    await sql(elsewhere(dsn), f"alter database {name} allow_connections false")
    await sql(
        elsewhere(dsn),
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", name,
    )  # fmt: skip


async def reopen(dsn: str, name: str) -> None:
    await sql(elsewhere(dsn), f"alter database {name} allow_connections true")


def refused(tmp_path: Path, dsn: str, *options: str, **settings: str) -> tuple[int, str]:
    """The exit code and the words of a daemon that does not start."""
    process = spawn(tmp_path, environment(dsn, **settings), *options)
    code = process.wait(60)
    return code, (tmp_path / "stderr").read_text()


def test_a_store_that_is_away_at_the_start_is_exit_3(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, said = refused(
        tmp_path, f"postgresql://someone:hunter2@127.0.0.1:{port}/nothing",
        BUSCTL_CONNECT_TIMEOUT_SECS="2", MESSAGE_BUS_FALLBACK_TO_WEBSOCKET="false",
    )  # fmt: skip
    assert code == 3
    assert "fix:" in said
    assert "hunter2" not in said
    assert "Traceback" not in said


async def test_a_database_without_the_schema_is_exit_2(empty_database: str, tmp_path: Path) -> None:
    code, said = await asyncio.to_thread(refused, tmp_path, empty_database)
    assert code == 2
    assert "busctl migrate up" in said


def test_a_port_in_use_is_exit_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused(tmp_path, "postgresql://127.0.0.1:1/x", "--port", str(port))
    assert code == 2
    assert f"Port {port} on 127.0.0.1 is in use." in said


def test_a_tool_that_is_not_there_is_exit_2(tmp_path: Path) -> None:
    code, said = refused(tmp_path, "postgresql://127.0.0.1:1/x", "--tools", "no_such:tools")
    assert code == 2
    assert "no_such" in said


@pytest.mark.parametrize("option", ["--ready-file", "--health-file"])
def test_a_file_that_cannot_be_written_there_is_exit_2(tmp_path: Path, option: str) -> None:
    for place, why in (
        (tmp_path / "none" / "f", "does not exist"),
        (tmp_path, "is a folder"),
    ):
        code, said = refused(tmp_path, "postgresql://127.0.0.1:1/x", option, str(place))
        assert code == 2
        assert why in said
        assert '"serving"' not in said


async def test_tools_are_found_in_the_working_directory(database: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def greet(who: str) -> str:\n    return f'hi {who}'\n")
    process = spawn(tmp_path, environment(database, BUSCTL_TOOLS=""), "--tools", "mine:greet")
    try:
        running = await asyncio.to_thread(wait_until_ready, process, tmp_path)
        async with session(running) as client:
            answer = await client.call("greet", {"who": "you"})
            assert answer["outputs"][0]["text"] == "hi you"
    finally:
        process.kill()
        process.wait()


async def test_systemd_is_told(database: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        with daemon(database, NOTIFY_SOCKET=str(tmp_path / "notify")) as running:
            assert systemd.recv(100) == b"READY=1"
            assert running.stop() == 0
            assert systemd.recv(100) == b"STOPPING=1"


# --- the token -----------------------------------------------------------------------------------


async def test_the_token_is_made_kept_private_and_rotated(database: str, tmp_path: Path) -> None:
    settings = {"BUSCTL_TOKEN": "", "BUSCTL_STATE_DIR": str(tmp_path / "state")}
    path = tmp_path / "state" / "token"
    with daemon(database, **settings) as running, daemon(database, **settings) as second:
        token = path.read_text().strip()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        async with raw(running) as client, raw(second) as other:
            await client.say("hello", token=token)
            assert (await client.hear())["ok"] is True
            for old, new in (("wrong", "x" * 20), (token, "short"), (token, "with space" * 3)):
                await client.say("rotate_token", old=old, new=new)
                assert (await client.hear())["ok"] is False
            await client.say("rotate_token", old=token, new="a-new-token-0123456789")
            assert await client.hear() == {"op": "rotate_token_res", "ok": True}
            assert "outputs" in await client.call("text", {"value": "still in"})
            await other.say("hello", token=token)
            assert (await other.hear())["ok"] is False
        async with raw(second) as client:
            await client.say("hello", token="a-new-token-0123456789")
            assert (await client.hear())["ok"] is True
        for one in (running, second):
            assert token not in one.log
            assert "a-new-token" not in one.log
            assert str(path) in one.log
    assert path.read_text() == "a-new-token-0123456789\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_file_open_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token-for-everyone\n")
    (tmp_path / "token").chmod(0o644)
    code, said = refused(
        tmp_path, "postgresql://127.0.0.1:1/x",
        BUSCTL_TOKEN="", BUSCTL_STATE_DIR=str(tmp_path),
    )  # fmt: skip
    assert code == 2
    assert "chmod 600" in said


@pytest.mark.parametrize("held", [b"", b"two words\n", "schlüssel".encode(), b"\xff\xfe\x00"])
def test_a_token_file_that_holds_no_token_is_refused(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "token").write_bytes(held)
    (tmp_path / "token").chmod(0o600)
    code, said = refused(
        tmp_path, "postgresql://127.0.0.1:1/x",
        BUSCTL_TOKEN="", BUSCTL_STATE_DIR=str(tmp_path),
    )  # fmt: skip
    assert code == 2
    assert "Delete it and start again." in said


async def test_log_lines_are_json_and_name_what_they_are_about(database: str) -> None:
    with daemon(database, MESSAGE_BUS_LOG_ALL_OPERATIONS="true") as running:
        async with session(running, session_id="s") as client:
            answer = await client.call("text", {"value": "secret words"}, request_id="r")
            await client.fetch(answer["transaction_id"])
        assert running.stop() == 0
        lines: list[dict[str, Any]] = running.lines
        assert len(lines) == len(running.log.splitlines())
        ended_call = next(line for line in lines if line["event"] == "call ended")
        assert ended_call["transaction_id"] == answer["transaction_id"]
        assert (ended_call["session"], ended_call["request_id"]) == ("s", "r")
        fetched = next(line for line in lines if line["event"] == "fetched")
        assert (fetched["transaction_id"], fetched["session"]) == (answer["transaction_id"], "s")
        assert any(line["event"] == "stored" for line in lines)
        assert "secret words" not in running.log
        assert TOKEN not in running.log
