"""The adapter of the mcp SDK: what upstream servers offer besides tools, over both carriers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from busctl.adapters.clock import SystemClock
from busctl.adapters.upstream import McpConnector
from busctl.core.errors import (
    PromptNotFound,
    ResourceNotFound,
    UpstreamFailed,
    UpstreamUnavailable,
)
from busctl.core.mcp.result import ResultPayload
from busctl.core.mcp.upstream import Command, Endpoint, Upstream
from busctl.ops.upstreams import Offered
from busctl.ports import Offering, UpstreamLine
from tests.upstream.config import ROOT, behind_http
from tests.upstream.server import image_of, text_of

COMMAND = Command(
    sys.executable, ("-m", "tests.upstream.server"), {"PYTHONPATH": str(ROOT), "API_KEY": "hunter2"}
)

OLD = Command(sys.executable, ("-m", "tests.upstream.old"), {"PYTHONPATH": str(ROOT)})


@pytest.fixture
def http() -> Iterator[Endpoint]:
    """The server behind streamable HTTP."""
    with behind_http() as url:
        yield Endpoint(url, {"Authorization": "Bearer hunter2"})


@asynccontextmanager
async def connected(
    via: Command | Endpoint, changed: Any = lambda _: None
) -> AsyncIterator[UpstreamLine]:
    connector = McpConnector(100_000_000)
    async with asyncio.timeout(60):
        while True:
            try:
                async with connector.connect(
                    Upstream("tests", via), changed, start_secs=30
                ) as line:
                    yield line
                    break
            except UpstreamFailed:
                if isinstance(via, Command):
                    raise
                await asyncio.sleep(0.1)  # it does not listen yet
    await connector.close()


@asynccontextmanager
async def offered(*upstreams: Upstream, own: Sequence[str] = ()) -> AsyncIterator[Offered]:
    connector = McpConnector(100_000_000)
    offering = Offered(upstreams, connector, SystemClock(), start_secs=30, own=own)
    async with offering.running():
        async with asyncio.timeout(30):
            while any(state.condition.value == "starting" for state in offering.states()):
                await offering.settled()
        yield offering
    await connector.close()


def nothing(*_: Any) -> None:
    pass


async def test_answers_come_over_http_too(http: Endpoint) -> None:
    async with connected(http) as line:
        assert line.pid is None
        listed = {tool["name"] for tool in await line.list_tools()}
        assert {"text", "image", "hang"} <= listed
        kept = await line.call_tool("text", {"size": 5_000_000}, meta={}, heard=nothing)
        assert kept.body == text_of(5_000_000).encode()
        heard: list[Any] = []
        kept = await line.call_tool(
            "steps", {"count": 3}, meta={}, heard=lambda *said: heard.append(said)
        )
        assert kept.body == b"done"
        assert heard == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]


async def test_a_server_behind_http_that_goes_is_noticed_by_the_next_call(http: Endpoint) -> None:
    async with offered(Upstream("tests", http)) as offering:
        server = offering._servers[0]
        async with asyncio.timeout(30):
            while server.state().condition.value != "ready":
                await asyncio.sleep(0.1)
        with pytest.raises(UpstreamFailed, match="'tests' did not answer a call of 'die'"):
            await server.line.call_tool("die", {}, meta={}, heard=nothing)
        async with asyncio.timeout(10):
            while server.state().condition.value == "ready":
                await asyncio.sleep(0.1)
        assert server.state().error


async def test_resources_prompts_and_completion() -> None:
    async with offered(Upstream("tests", COMMAND)) as offering:
        listed = {each["uri"] for each in await offering.list_resources()}
        assert listed == {"memo://welcome", "memo://picture"}
        (template,) = await offering.list_resource_templates()
        assert template["uriTemplate"] == "memo://numbered/{number}"
        welcome = await offering.read_resource("memo://welcome")
        assert welcome["contents"][0]["text"] == "welcome to the tests"
        numbered = await offering.read_resource("memo://numbered/7")
        assert numbered["contents"][0]["text"] == "this is 7"
        picture = await offering.read_resource("memo://picture")
        assert len(picture["contents"][0]["blob"]) > len(image_of(1000))
        with pytest.raises(ResourceNotFound):
            await offering.read_resource("memo://elsewhere/7/8")
        (prompt,) = await offering.list_prompts()
        assert prompt["arguments"][0]["name"] == "name"
        greeting = await offering.get_prompt("greet", {"name": "Ada"})
        assert greeting["messages"][0]["content"]["text"] == "Greet Ada."
        with pytest.raises(PromptNotFound, match="Did you mean 'greet'"):
            await offering.get_prompt("greeet", {})
        with pytest.raises(UpstreamFailed) as caught:
            await offering.get_prompt("greet", {})
        assert caught.value.rpc_code is not None


async def test_prompts_and_resources_of_one_name_are_told_apart() -> None:
    async with offered(Upstream("one", COMMAND), Upstream("two", COMMAND)) as offering:
        assert [each["name"] for each in await offering.list_prompts()] == [
            "one_greet",
            "two_greet",
        ]
        greeting = await offering.get_prompt("two_greet", {"name": "Bo"})
        assert greeting["messages"][0]["content"]["text"] == "Greet Bo."
        assert {each["uri"] for each in await offering.list_resources()} == {
            f"{name}+memo://{what}" for name in ("one", "two") for what in ("welcome", "picture")
        }
        assert [each["uriTemplate"] for each in await offering.list_resource_templates()] == [
            "one+memo://numbered/{number}", "two+memo://numbered/{number}",
        ]  # fmt: skip
        for uri in ("two+memo://welcome", "two+memo://numbered/7"):
            (told,) = (await offering.read_resource(uri))["contents"]
            assert told["uri"] == uri
        # As links in answers name them.
        for uri in ("memo://welcome", "memo://numbered/7"):
            (told,) = (await offering.read_resource(uri))["contents"]
            assert told["uri"] == uri
        with pytest.raises(ResourceNotFound):
            await offering.read_resource("three+memo://welcome")


async def test_whoever_watches_is_told_of_changed_lists() -> None:
    async with offered(Upstream("tests", COMMAND)) as offering:
        heard: asyncio.Queue[Offering] = asyncio.Queue()
        unwatch = offering.watch(heard.put_nowait)
        server = offering._servers[0]
        await server.line.call_tool("learn", {"name": "more"}, meta={}, heard=nothing)
        async with asyncio.timeout(10):
            assert await heard.get() is Offering.TOOLS
        assert "more" in {tool.name for tool in offering.list_tools()}
        unwatch()


async def test_a_server_that_is_not_there_is_unavailable_and_said_to_be() -> None:
    async with offered(Upstream("gone", Command("no-such-program"))) as offering:
        (state,) = offering.states()
        assert state.condition.value == "waiting"
        assert state.error is not None
        assert "no-such-program" in state.error
        with pytest.raises(UpstreamUnavailable) as caught:
            _ = offering._servers[0].line
        assert caught.value.retry_after >= 1


async def test_one_that_greets_and_lists_nothing_has_its_time() -> None:
    command = Command(sys.executable, ("-m", "tests.upstream.old", "--mute"),
                      {"PYTHONPATH": str(ROOT)})  # fmt: skip
    async with offered(Upstream("mute", command, start_timeout_secs=1.5)) as offering:
        (state,) = offering.states()
        assert state.error == "it did not list what it offers within 1.5 s"


async def test_the_folder_of_a_program_must_be_there() -> None:
    command = Command(sys.executable, ("-c", "pass"), cwd="/no/such/folder")
    with pytest.raises(UpstreamFailed, match="the folder /no/such/folder"):
        async with connected(command):
            pass


async def test_a_program_that_takes_no_question_before_its_greeting_is_greeted() -> None:
    command = Command(sys.executable, ("-m", "tests.upstream.old", "--strict"),
                      {"PYTHONPATH": str(ROOT)})  # fmt: skip
    async with connected(command) as line:
        assert line.protocol == "2025-11-25"
        kept = await line.call_tool("say", {"words": "hello"}, meta={}, heard=nothing)
        assert kept.body == b"say: hello"


async def test_a_program_that_ends_at_once_says_how() -> None:
    with pytest.raises(UpstreamFailed, match=r"'tests' cannot be reached.*it ended with status 1"):
        async with connected(Command("false")):
            pass


@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc":"2.0","id":$ID,"result":null}',
        '{"jsonrpc":"2.0","id":$ID,"result":[]}',
        '{"jsonrpc":"2.0","id":$ID,"error":"no"}',
        '{"jsonrpc":"2.0","id":$ID}',
        '{"id":$ID,"error":{"code":1,"message":"half a pair \\ud83d"}}',
    ],
)
async def test_an_answer_that_is_no_response_ends_its_call(line: str) -> None:
    async with connected(OLD) as session:
        with pytest.raises(UpstreamFailed, match="no JSON-RPC"):
            await called(session, "answer", line=line)
        answered = await called(session, "say", words="on")
        assert answered.body == b"say: on"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            '[{"jsonrpc":"2.0","id":$ID,"result":{"content":[],"n":1e400}}]',
            b'{"content":[],"n":1e400}',
        ),
        (
            '[ {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info",'
            '"data":1}},{"jsonrpc":"2.0","id":4711,"result":{}} , '
            '{"result":{"content":[]},"jsonrpc":"2.0","id":$ID} ]',
            b'{"content":[]}',
        ),
    ],
)
async def test_the_answers_of_a_batch_are_taken_one_by_one(line: str, told: bytes) -> None:
    async with connected(OLD) as session:
        assert (await called(session, "answer", line=line)).body == told


async def test_a_batch_that_holds_no_response_ends_its_call() -> None:
    async with connected(OLD) as session:
        with pytest.raises(UpstreamFailed, match="no JSON-RPC"):
            await called(session, "answer", line='[{"jsonrpc":"2.0","id":$ID,"result":7}]')


async def test_a_tool_without_a_schema_takes_no_other_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with offered(Upstream("odd", Command(OLD.command, (*OLD.args, "--odd"), OLD.env))) as odd:
        names = [each.name for each in odd.list_tools()]
        assert "say" in names
        assert not {"no_schema", "bad_schema", "list_schema"} & {*names}
        (state,) = odd.states()
        assert state.condition.value == "ready"
        told = "\n".join(state.left_out)
        assert "'no_schema'" in told
        assert "'bad_schema'" in told
        assert "inputSchema" in told
        assert state.as_json()["left_out"] == list(state.left_out)
    assert any("no_schema" in str(getattr(each, "left_out", "")) for each in caplog.records)


async def test_one_whose_child_holds_its_output_ends_all_the_same() -> None:
    async with connected(OLD) as session:
        with pytest.raises(UpstreamFailed, match="it ended"):
            await called(session, "leave")
        assert await session.ended() == "it ended with status 3"


async def called(session: UpstreamLine, name: str, **arguments: Any) -> ResultPayload:
    return await session.call_tool(name, arguments, meta={}, heard=lambda *_: None)
