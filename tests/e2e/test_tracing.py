"""One trace through client, daemon, tool, store and wire, as a real collector is told it; and what
there is of it where nobody asks for traces."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from uuid import UUID

import pytest

from busctl.adapters.tracing import is_wanted
from busctl.adapters.websocket import BusClient
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from tests.cli.commands import environment as shell
from tests.e2e.collector import Collector, collecting
from tests.e2e.daemons import TOKEN, Client, daemon, session
from tests.e2e.mcp_clients import ERAS, over_http
from tests.forks.client import run
from tests.upstream.config import behind_http, program, write

TRACE = "0af7651916cd43dd8448eb211c80319c"
GIVEN = f"00-{TRACE}-b7ad6b7169203331-01"
SERVER, CLIENT = 2, 3
"""SPAN_KIND_SERVER and _CLIENT of opentelemetry-proto."""


async def test_a_call_is_one_trace_with_a_span_a_hop(database: str, tmp_path: Path) -> None:
    with collecting() as found:
        asked = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": found.endpoint,
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret-of-mine",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        state = {"BUSCTL_STATE_DIR": str(tmp_path / "state")}
        with daemon(database, **state, **asked) as running:
            env = shell(None) | asked | {"BUSCTL_TOKEN": TOKEN}
            words = ["call", "blob", "size_bytes=300000", "--url", running.url, "--json"]
            words += ["--traceparent", GIVEN]
            done = await asyncio.to_thread(run, words, env=env, timeout=60)
            assert done.returncode == 0, done.stderr
            told = json.loads(done.stdout)
            header = {"Authorization": f"Bearer {TOKEN}", "traceparent": GIVEN}
            wanted = urllib.request.Request(
                f"{running.url}/messages/{told['transaction_id']}", headers=header
            )
            await asyncio.to_thread(fetched, wanted)
            assert running.stop() == 0
            assert "secret-of-mine" not in running.log and "Traceback" not in running.log
        check_the_call(found, told["transaction_id"], told["session_id"])
        check_the_redemption(found)
        assert {one["api-key"] for one in found.headers} == {"secret-of-mine"}
    async with Bus.connect(Settings(database_url=database)) as bus:
        message = await bus.stat(UUID(told["transaction_id"]))
    kept = message.labels.metadata["traceparent"]
    assert kept == f"00-{TRACE}-{found.named('daemon blob').span_id}-01"


def fetched(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=30) as response:
        body: bytes = response.read()
    return body


def check_the_call(found: Collector, transaction_id: str, session_id: str) -> None:
    client, server = found.named("client blob"), found.named("daemon blob")
    assert {one.trace_id for one in found.spans} == {TRACE}
    assert client.parent_id == "b7ad6b7169203331" and client.kind == CLIENT
    assert server.parent_id == client.span_id and server.kind == SERVER
    for name in ("tool blob", "store put", "wire answer"):
        assert found.named(name).parent_id == server.span_id
        assert found.named(name).attributes["busctl.hop"] == name.split()[0]
    assert (client.service, server.service) == ("busctl-client", "busctl")
    assert server.attributes["busctl.transaction_id"] == transaction_id
    assert server.attributes["busctl.session_id"] == session_id
    assert server.attributes["busctl.size"] == client.attributes["busctl.size"] == 300_000
    assert found.named("wire answer").attributes["busctl.via"] == "claim"
    fetch = found.named("daemon fetch")
    assert fetch.parent_id == client.span_id
    assert found.named("wire fetch").parent_id == fetch.span_id
    assert found.named("wire fetch").attributes["busctl.size"] == 300_000
    assert client.seconds >= server.seconds >= found.named("tool blob").seconds > 0


def check_the_redemption(found: Collector) -> None:
    redeemed = found.named("daemon redeem")
    assert redeemed.parent_id == "b7ad6b7169203331"
    assert found.named("wire http").parent_id == redeemed.span_id
    assert found.named("wire http").attributes["busctl.size"] == 300_000


async def test_errors_and_pieces_are_told_and_nothing_of_a_payload(
    database: str, tmp_path: Path
) -> None:
    with collecting() as found:
        asked = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{found.endpoint}/v1/traces",
            "OTEL_SERVICE_NAME": "mine", "BUSCTL_STATE_DIR": str(tmp_path / "state"),
        }  # fmt: skip
        with daemon(database, **asked) as running:
            async with session(running) as client:
                await client.call("fail", {"words": "word-of-the-tool"}, traceparent=GIVEN)
                await client.call("stream", {"pieces": 3, "piece_bytes": 1000})
            assert running.stop() == 0
        failed = found.named("daemon fail")
        assert failed.failed and failed.trace_id == TRACE and failed.service == "mine"
        assert failed.attributes["error.type"] == "EXEC_ERROR"
        assert found.named("tool fail").failed
        streamed = found.named("tool stream")
        assert streamed.attributes["busctl.size"] == 3000 and not streamed.failed
        assert found.named("daemon stream").trace_id != TRACE
        assert "word-of-the-tool" not in str(found.spans)


async def test_without_a_collector_a_traceparent_is_carried_and_nothing_is_imported(
    database: str, tmp_path: Path
) -> None:
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:
        async with BusClient.connect(running.url, TOKEN) as client:
            given = await client.call("text", {"value": "x"}, traceparent=GIVEN)
            none = await client.call("text", {"value": "y"})
        async with session(running) as bare:
            wrong = await bare.call("text", {"value": "z"}, traceparent="00-nonsense")
            assert "error" not in wrong, "a bad one is ignored, as the W3C wants it"
        async with Bus.connect(Settings(database_url=database)) as bus:
            assert (await bus.stat(given.transaction_id)).labels.metadata["traceparent"] == GIVEN
            for one in (await bus.stat(none.transaction_id), *(await bus.list())[:1]):
                assert "traceparent" not in one.labels.metadata
        assert running.stop() == 0


def test_nothing_is_loaded_unless_it_is_asked_for() -> None:
    look = (
        "import sys; from busctl.adapters.tracing import Tracing, ambient\n"
        "with Tracing('t', '1') as one: one.tracer.begin('tool', 'x', None).end()\n"
        "ambient().begin('client', 'x', None).end()\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.stderr == ""


def test_what_switches_it_on() -> None:
    here = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert is_wanted(here)
    assert is_wanted({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"})
    for off in (
        {"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
    ):  # fmt: skip
        assert not is_wanted(here | off)
    assert not is_wanted({"OTEL_SERVICE_NAME": "x"})


async def test_a_collector_that_is_away_holds_nothing_up(database: str, tmp_path: Path) -> None:
    away = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "BUSCTL_STATE_DIR": str(tmp_path / "state"),
    }
    with daemon(database, **away) as running:
        async with session(running) as client:
            answer = await client.call("text", {"value": "x"})
            assert answer["outputs"]
        assert running.stop() == 0
        assert "Traceback" not in running.log


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_by_mcp_joins_the_trace_of_its_meta(
    database: str, tmp_path: Path, era: str
) -> None:
    with collecting() as found:
        asked = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": found.endpoint,
            "BUSCTL_STATE_DIR": str(tmp_path / "state"),
        }
        with daemon(database, **asked) as running:
            async with over_http(running, era) as client:
                await client.call_tool("text", {"value": "x"}, meta={"traceparent": GIVEN})
                failed = await client.call_tool("fail", {"words": "word-of-the-tool"})
                assert failed.is_error
            assert running.stop() == 0
        called = found.named("daemon text")
        assert (called.trace_id, called.parent_id) == (TRACE, "b7ad6b7169203331")
        assert found.named("tool text").parent_id == called.span_id
        assert {one.name.split()[0] for one in found.spans} <= {"daemon", "tool", "store", "wire"}
        assert "word-of-the-tool" not in str(found.spans)


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("carrier", ["stdio", "http"])
async def test_a_server_behind_the_daemon_joins_its_callers_trace(
    database: str, tmp_path: Path, carrier: str, *, traced: bool
) -> None:
    """In `_meta`, and in a header where there are headers; whether or not a collector is told."""
    with collecting() as found, behind_http() as url:
        server = program() if carrier == "stdio" else {"url": url}
        settings = {
            "BUSCTL_STATE_DIR": str(tmp_path / "state"), "BUSCTL_TOOLS": "",
            "BUSCTL_MCP_CONFIG": write(tmp_path, tests=server),
            **({"OTEL_EXPORTER_OTLP_ENDPOINT": found.endpoint} if traced else {}),
        }  # fmt: skip
        with daemon(database, **settings) as running:
            async with session(running) as client:
                await offered(client, "header")
                for tool in ("beside", "header"):
                    answer = await client.call(tool, {}, traceparent=GIVEN)
                    told = answer["outputs"][0]["text"]
                    joined(told, named=tool == "beside" or carrier == "http", traced=traced)
                alone = await client.call("beside", {})
                assert (TRACE in alone["outputs"][0]["text"]) is False
            assert running.stop() == 0
    if traced:
        tools = [one for one in found.spans if one.name.startswith("tool ")]
        assert [one.trace_id == TRACE for one in tools] == [True, True, False]


def joined(told: str, *, named: bool, traced: bool) -> None:
    """A server was told of the trace; by a span of ours, where there are any."""
    if not named:
        assert told == "None"
        return
    assert told[:35] == GIVEN[:35]
    assert (told == GIVEN) is not traced


async def offered(client: Client, tool: str) -> None:
    """The test's own time-out ends a wait in vain."""
    while True:
        await client.say("list_tools")
        if tool in {one["name"] for one in (await client.hear_op("list_tools_res"))["tools"]}:
            return
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_by_mcp_joins_the_trace_of_its_header(
    database: str, tmp_path: Path, era: str
) -> None:
    """As gateways and browsers send it, that know nothing of `_meta`; which goes first."""
    other = GIVEN.replace(TRACE, "1" * 32)
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:
        async with over_http(running, era, headers={"traceparent": GIVEN}) as client:
            await client.call_tool("text", {"value": "by its header"})
            await client.call_tool("text", {"value": "x"}, meta={"traceparent": other})
        async with Bus.connect(Settings(database_url=database)) as bus:
            kept = [one.labels.metadata["traceparent"] for one in await bus.list()]
        assert kept == [other, GIVEN]
        assert running.stop() == 0


async def test_what_a_tool_traces_itself_belongs_to_its_span(database: str, tmp_path: Path) -> None:
    with collecting() as found:
        asked = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": found.endpoint,
            "BUSCTL_STATE_DIR": str(tmp_path / "state"),
            "BUSCTL_TOOLS": "tests.e2e.traced_tools:tools",
        }  # fmt: skip
        with daemon(database, **asked) as running:
            async with session(running) as client:
                answer = await client.call("current")
            assert running.stop() == 0
        assert answer["outputs"][0]["text"] == found.named("tool current").span_id
