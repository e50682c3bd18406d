"""`busctl mcp`: the gateway over standard input and output, started as desktop clients start it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemons import daemon, environment
from tests.e2e.mcp_clients import ERAS, over_stdio
from tests.forks.client import Forked
from tests.upstream.config import ROOT

NOWHERE = "postgresql://busctl@127.0.0.1:9/nothing"
INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}  # fmt: skip


def started(
    dsn: str, folder: Path, *words: str, **settings: str
) -> subprocess.Popen[bytes]:  # fmt: skip
    env = environment(dsn, BUSCTL_STATE_DIR=str(folder / "state"), **settings)
    with (folder / "stderr").open("wb") as stderr:
        return Forked(
            ["mcp", *words], env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=stderr,
        )  # fmt: skip


def say(process: subprocess.Popen[bytes], *messages: Any) -> None:
    assert process.stdin is not None
    for one in messages:
        process.stdin.write(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[bytes]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_calls_and_reads(database: str, tmp_path: Path, era: str) -> None:
    told: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)
        (tmp_path / "file").write_text("there")

    async with over_stdio(database, tmp_path, era) as client:
        assert client.server_info.name == "busctl"
        assert "text" in {tool.name for tool in (await client.list_tools()).tools}
        answers = await asyncio.gather(
            *(client.call_tool("text", {"value": str(at)}) for at in range(50))
        )
        assert [one.content[0].text for one in answers] == [str(at) for at in range(50)]
        large = await client.call_tool("letters", {"count": 2_000_000})
        assert large.content[1].size == 4_000_000
        whole = (await client.read_resource(large.content[1].uri)).contents[0].text
        assert hashlib.sha256(whole.encode()).hexdigest() in large.content[0].text
        waited = await client.call_tool(
            "wait_for", {"path": str(tmp_path / "file")}, progress_callback=note
        )
        assert waited.content[0].text == "there"
    assert told == ["waiting for the file"]
    async with over_stdio(database, tmp_path, era) as other:
        again = (await other.read_resource(large.content[1].uri)).contents[0].text
        assert again == whole


@pytest.mark.parametrize("dashes", [("--",), ()], ids=["dashes", "eaten by the client"])
async def test_a_wrapped_server_is_alone_with_the_tools_to_read_on(
    database: str, tmp_path: Path, dashes: tuple[str, ...]
) -> None:
    """Our own `echo` would stand in for that of npm's server-everything."""
    words = [*dashes, sys.executable, "-m", "tests.upstream.server", "--many", "1"]
    plain = {"BUSCTL_TOOLS": ""}
    async with over_stdio(database, tmp_path, "auto", *words, settings=plain) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    assert {"tool_000", "bus_read", "bus_search", "bus_info"} <= names
    assert not {"echo", "generate"} & names


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_is_led_to_a_daemon(database: str, tmp_path: Path, era: str) -> None:
    (tmp_path / "daemon").mkdir()
    told: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)
        (tmp_path / "file").write_text("there")

    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "daemon")) as running:
        settings = {"BUSCTL_PORT": str(running.port), "DATABASE_URL": NOWHERE}
        async with over_stdio(database, tmp_path, era, "--daemon", settings=settings) as client:
            answers = await asyncio.gather(
                *(client.call_tool("text", {"value": str(at)}) for at in range(20))
            )
            assert [one.content[0].text for one in answers] == [str(at) for at in range(20)]
            large = await client.call_tool("letters", {"count": 2_000_000})
            whole = (await client.read_resource(large.content[1].uri)).contents[0].text
            assert whole == "é" * 2_000_000
            waited = await client.call_tool(
                "wait_for", {"path": str(tmp_path / "file")}, progress_callback=note
            )
            assert waited.content[0].text == "there"
    assert told == ["waiting for the file"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--daemon", "--", "ls"), 2, "--daemon offers what the daemon has."),
        (("--url", "http://127.0.0.1:9"), 3, "No daemon answered at http://127.0.0.1:9"),
    ],
)
def test_a_daemon_that_cannot_be_asked(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    process = started(NOWHERE, tmp_path, *words)
    process.communicate(timeout=30)
    assert process.returncode == code
    assert said in (tmp_path / "stderr").read_text()


def test_the_handshake_does_not_wait_for_the_store(tmp_path: Path) -> None:
    settings = {
        "MESSAGE_BUS_CONNECT_TIMEOUT_SECS": "30", "MESSAGE_BUS_FALLBACK_TO_WEBSOCKET": "false",
    }  # fmt: skip
    process = started("postgresql://busctl@10.255.255.1:5432/none", tmp_path, **settings)
    try:
        say(process, INITIALIZE)
        assert hear(process)["result"]["serverInfo"]["name"] == "busctl"
    finally:
        process.kill()
        process.communicate()


def test_a_store_that_is_not_to_be_had_is_told_to_the_client(tmp_path: Path) -> None:
    settings = {"MESSAGE_BUS_FALLBACK_TO_WEBSOCKET": "false"}
    process = started(NOWHERE, tmp_path, **settings)
    say(
        process, INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    )  # fmt: skip
    assert hear(process)["id"] == 1
    refused = hear(process)
    assert refused["error"]["data"]["code"] == "STORE_UNAVAILABLE", refused
    process.communicate(timeout=30)
    assert process.returncode == 3
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_standard_output_is_the_protocols_alone(database: str, tmp_path: Path) -> None:
    process = started(database, tmp_path)
    say(
        process, b"no json\n", b"\n", b'{"id": 9, "method": "half \\\\ud83d"}\n', INITIALIZE,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
         "params": {"name": "loud", "arguments": {}}},
    )  # fmt: skip
    assert hear(process)["error"]["code"] == -32700
    refused = hear(process)
    assert (refused["id"], refused["error"]["code"]) == (9, -32700)
    assert hear(process)["id"] == 1
    answer = hear(process)
    assert answer["result"]["content"][0]["text"] == "said"
    rest, _ = process.communicate(timeout=30)
    assert rest == b""
    assert process.returncode == 0
    assert "printed" in (tmp_path / "stderr").read_text()


@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_client(
    database: str, tmp_path: Path, number: signal.Signals | None
) -> None:
    process = started(database, tmp_path, "--log-level", "info")
    say(
        process, INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
         "params": {"name": "wait_for", "arguments": {"path": str(tmp_path / "never")}}},
    )  # fmt: skip
    assert hear(process)["id"] == 1
    deadline = time.monotonic() + 30
    while '"serving"' not in (tmp_path / "stderr").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if number is not None:
        process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 0, (tmp_path / "stderr").read_text()
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_a_client_that_knows_no_links_gets_none(database: str, tmp_path: Path) -> None:
    process = started(database, tmp_path)
    older = {**INITIALIZE, "params": {**INITIALIZE["params"], "protocolVersion": "2025-03-26"}}  # type: ignore[dict-item]  # a literal of mixed types
    say(
        process, older, {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
         "params": {"name": "letters", "arguments": {"count": 9000}}},
    )  # fmt: skip
    assert hear(process)["result"]["protocolVersion"] == "2025-03-26"
    (only,) = hear(process)["result"]["content"]
    assert "18,000 bytes" in only["text"]
    process.communicate(timeout=30)


@pytest.mark.parametrize(
    "result",
    [
        '{"content":[{"type":"text","text":"a","x-rank":7}],"isError":false,"x-cost":1.50}',
        '{"content":[{"type":"resource","resource":{"uri":"a:b","text":"c","etag":"1"}},'
        '{"type":"text","text":"b"}],"nested":{"deep":[1,null,{"n":12345678901234567890123}]}}',
        '{"structuredContent":{"n":123456789012345678901234567890,"f":1.0,"none":null},'
        '"content":[]}',
    ],
)
def test_small_answers_keep_all_that_they_say(database: str, tmp_path: Path, result: str) -> None:
    assert json.dumps(passed_on(database, tmp_path, result)) == json.dumps(json.loads(result))


def test_numbers_that_no_double_holds_are_told_as_they_came(database: str, tmp_path: Path) -> None:
    text = json.dumps('{"n":1e999}')
    result = f'{{"structuredContent":{{"n":1e999}},"content":[{{"type":"text","text":{text}}}]}}'
    told = passed_on(database, tmp_path, result)
    assert told == {"content": [{"type": "text", "text": result}]}


def passed_on(database: str, tmp_path: Path, result: str) -> Any:
    """What a client gets of that result of a wrapped server."""
    process = started(
        database, tmp_path, "--", sys.executable, "-m", "tests.upstream.old", PYTHONPATH=str(ROOT)
    )
    line = f'{{"jsonrpc":"2.0","id":$ID,"result":{result}}}'
    say(
        process, INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
         "params": {"name": "answer", "arguments": {"line": line}}},
    )  # fmt: skip
    while (answer := hear(process)).get("id") != 2:
        continue
    process.communicate(timeout=30)
    return answer["result"]


def test_a_file_as_input_is_refused(database: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_text(json.dumps(INITIALIZE) + "\n")
    with (tmp_path / "in").open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "busctl", "mcp"], stdin=stdin, capture_output=True, text=True,
            env=environment(database, BUSCTL_STATE_DIR=str(tmp_path)), timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert "Standard input is a file." in done.stderr


def test_nothing_is_left_of_a_killed_one(database: str, tmp_path: Path) -> None:
    process = started(database, tmp_path)
    say(process, INITIALIZE)
    assert hear(process)["id"] == 1
    process.kill()
    process.communicate(timeout=30)
    left = [
        path for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(tmp_path).encode() in _read(path)
    ]  # fmt: skip
    assert left == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
