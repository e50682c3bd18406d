"""Chat tools of a real daemon, against providers played by their documents: what is asked through
`busctl call`, what is stored, and that the key is nowhere."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from tests.cli.commands import Ran
from tests.conftest import direct
from tests.core.test_provider import THIRD
from tests.e2e.daemons import TOKEN, Running, daemon, session
from tests.e2e.mcp_clients import over_http
from tests.e2e.test_daemon_fallback import is_drained
from tests.e2e.test_daemon_fallback import settings as away_settings
from tests.forks.client import run
from tests.gate import LOOSE_ENDS, gate_to
from tests.providers.played import KEY, Played, Refusal
from tests.providers.speaking import Reply

pytestmark = [pytest.mark.one_database, *LOOSE_ENDS]

Play = Callable[[str], Played]


@contextmanager
def chatting(database: str, *played: Played, **settings: str) -> Iterator[Running]:
    """A daemon with the keys of those providers."""
    given: dict[str, str] = {}
    for one in played:
        name = one.site.name.upper()
        given |= {f"{name}_API_KEY": KEY, f"{name}_BASE_URL": one.base}
    with daemon(database, **given, **settings) as started:
        yield started
        assert KEY not in started.log


def busctl(database: str, running: Running | None, *arguments: str, **environment: str) -> Ran:
    env = {**os.environ, "DATABASE_URL": database, "BUSCTL_TOKEN": TOKEN, **environment}
    if running is not None:
        env["BUSCTL_PORT"] = str(running.port)
    done = run(arguments, env=env, timeout=60)
    err = done.stderr.decode()
    assert "Traceback" not in err, err
    assert KEY.encode() not in done.stdout + done.stderr
    return Ran(done.returncode, done.stdout, err)


def stored(database: str, last: int = 1000) -> list[dict[str, Any]]:
    """What was stored last, in order."""
    with psycopg.connect(direct(database)) as connection:
        rows = connection.execute(
            "SELECT transaction_id, message_type, tool_name, metadata, payload_size_bytes"
            " FROM bus.message_bus ORDER BY seq"
        ).fetchall()
    names = ("id", "kind", "tool", "metadata", "size")
    return [dict(zip(names, row, strict=True)) for row in rows[-last:]]


@pytest.mark.parametrize("name", ["kimi", "glm", "zai"])
def test_a_question_through_the_command_line(database: str, play: Play, name: str) -> None:
    played = play(name)
    played.plan.append(Reply("Guten Morgen, \N{GRINNING FACE}.", reasoning="They greet."))
    tool = "kimi_chat" if name == "kimi" else "glm_chat"
    with chatting(database, played) as running:
        listed = busctl(database, running, "call", "--list", "--json").json["tools"]
        (described,) = [one for one in listed if one["name"] == tool]
        assert described["inputSchema"]["required"] == ["prompt"]
        asked = ("call", tool, "prompt=good morning", "max_tokens=50", "keep_reasoning=true")
        done = busctl(database, running, *asked)
        assert (done.code, done.text) == (0, "Guten Morgen, \N{GRINNING FACE}.")
        assert not done.err
    reasoning, answer = stored(database, 2)
    assert played.chats[0]["messages"] == [{"role": "user", "content": "good morning"}]
    assert played.chats[0][played.site.max_tokens_field] == 50
    assert answer["metadata"]["chat"]["usage"]["total_tokens"] == 18
    assert answer["metadata"]["chat"]["finish_reason"] == "stop"
    assert answer["metadata"]["chat"]["provider"] == name
    assert answer["metadata"]["reasoning"] == str(reasoning["id"])
    assert reasoning["metadata"] == {"reasoning_of": str(answer["id"])}
    got = busctl(database, None, "get", str(reasoning["id"]))
    assert got.text == "They greet."


def test_an_answer_cut_at_a_limit_is_never_passed_off_as_whole(database: str, play: Play) -> None:
    played = play("glm")
    long = "the first half of it " * 5000
    played.plan += [Reply("the first half", finish="length"), Reply(long, finish="length")]
    with chatting(database, played) as running:
        done = busctl(database, running, "call", "glm_chat", "prompt=x")
        assert done.text == "the first half"
        assert "not whole (length)" in done.err
        done = busctl(database, running, "call", "glm_chat", "prompt=x", "--json")
        assert done.json["incomplete"] == "length"
        assert done.json["route"] == "claim"
        assert running.log.count("truncated_by_provider") == 2
        assert running.stop() == 0  # what it has noted of its answers is written then
    for one in stored(database, 2):
        assert one["metadata"]["incomplete"] == "length"
        shown = busctl(database, None, "show", str(one["id"]))
        assert "incomplete" in shown.text
        assert "truncation_suspected" in shown.text
        assert "truncated_by_provider" in shown.text


async def test_the_frames_say_so_too(database: str, play: Play) -> None:
    played = play("zai")
    played.plan += [Reply("half", finish="sensitive"), Reply("h" * 100_000, finish="sensitive")]
    with chatting(database, played) as running:
        async with session(running) as client:
            small = await client.call("glm_chat", {"prompt": "x"})
            large = await client.call("glm_chat", {"prompt": "x"})
            opened, _ = await client.fetch(large["claim"]["transaction_id"])
            assert opened["incomplete"] == "content_filter"
        for answer in (small, large["claim"]):
            headers = await asyncio.to_thread(head, running, answer["transaction_id"])
            assert headers["x-busctl-incomplete"] == "content_filter"
    assert small["incomplete"] == large["claim"]["incomplete"] == "content_filter"
    done = busctl(database, None, "get", small["transaction_id"])
    assert (done.text, done.code) == ("half", 0)
    assert "not whole (content_filter)" in done.err


def head(running: Running, transaction_id: str) -> Mapping[str, str]:
    answer = httpx2.head(
        f"http://127.0.0.1:{running.port}/messages/{transaction_id}",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    return answer.raise_for_status().headers


async def test_clients_of_mcp_are_told_as_well(database: str, play: Play) -> None:
    played = play("glm")
    played.plan += [Reply("half", finish="length"), Reply("h" * 100_000, finish="length")]
    with chatting(database, played) as running:
        async with over_http(running, "auto") as client:
            small = await client.call_tool("glm_chat", {"prompt": "x"})
            large = await client.call_tool("glm_chat", {"prompt": "x"})
    assert small.content[0].text == "half"
    assert "not whole" in small.content[-1].text
    assert "which is not whole, is kept" in large.content[0].text


async def test_an_answer_that_breaks_off_is_an_error_with_what_came(
    database: str, play: Play
) -> None:
    played = play("kimi")
    text = "what came of it, before the line was cut " * 50
    played.plan += [Reply(text, cut_after=80), Reply("all of it")]
    with chatting(database, played) as running:
        async with session(running, session_id="s") as client:
            asked = {"prompt": "x"}
            answer = await client.call("kimi_chat", asked, request_id="one")
            error = answer["error"]
            assert error["code"] == "ANSWER_CUT"
            assert await client.call("kimi_chat", asked, request_id="one") == answer
            opened, came = await client.fetch(error["transaction_id"])
            assert (opened["message_type"], opened["incomplete"]) == ("error", "cut")
            assert came.decode() == text[: 80 * 20]
            another = await client.call("kimi_chat", asked, request_id="two")
            assert another["outputs"][0]["text"] == "all of it"
    first, _ = stored(database, 2)
    assert first["kind"] == "error"
    assert first["metadata"]["error"]["code"] == "ANSWER_CUT"
    assert first["metadata"]["chat"]["provider"] == "kimi"


async def test_with_the_store_away_it_is_all_in_the_spool(
    database: str, play: Play, tmp_path: Path
) -> None:
    """What is known only when the stream has ended, too; and it is reconciled."""
    played = play("kimi")
    with gate_to(database) as gate:
        gate.shut()
        with chatting(gate.dsn, played, **away_settings(tmp_path)) as running:
            played.plan += [Reply("half", finish="length"), Reply("so far", cut_after=1)]
            async with session(running, session_id="away") as client:
                half = await client.call("kimi_chat", {"prompt": "x"}, request_id="half")
                assert (half["spooled"], half["incomplete"]) == (True, "length")
                cut = (await client.call("kimi_chat", {"prompt": "x"}, request_id="cut"))["error"]
                assert cut["code"] == "ANSWER_CUT"
                opened, came = await client.fetch(cut["transaction_id"])
                assert (opened["incomplete"], came) == ("cut", b"so far")
                again = await client.call("kimi_chat", {"prompt": "x"}, request_id="cut")
                assert again["error"]["transaction_id"] == cut["transaction_id"]
                gate.open()
                await is_drained(tmp_path)
    first, second = stored(database, 2)
    assert first["metadata"]["chat"]["finish_reason"] == first["metadata"]["incomplete"] == "length"
    assert second["kind"] == "error"
    assert second["metadata"]["error"]["code"] == "ANSWER_CUT"
    assert len(played.chats) == 2


async def test_an_answer_that_takes_too_long_is_kept_as_far_as_it_came(
    database: str, play: Play
) -> None:
    played = play("kimi")
    with chatting(database, played, BUSCTL_CALL_TIMEOUT_SECS="4") as running:
        async with session(running) as client:
            await client.call("kimi_chat", {"prompt": "what is loaded once takes its time"})
            played.plan += [Reply("word " * 400, pause=0.1), Reply("", pause=6)]
            error = (await client.call("kimi_chat", {"prompt": "x"}))["error"]
            assert error["code"] == "ANSWER_CUT"
            _, came = await client.fetch(error["transaction_id"])
            assert came.startswith(b"word word ")
            assert (await client.call("kimi_chat", {"prompt": "x"}))["error"]["code"] == "TIMEOUT"


async def test_a_busy_provider_is_no_answer_of_a_request(database: str, play: Play) -> None:
    """So the same request asks it again."""
    played = play("kimi")
    played.refusals.append(Refusal(429, headers={"Retry-After": "600"}))
    with chatting(database, played) as running:
        async with session(running, session_id="busy") as client:
            error = (await client.call("kimi_chat", {"prompt": "x"}, request_id="one"))["error"]
            assert (error["code"], error["retry_after"]) == ("PROVIDER_BUSY", 600)
            answer = await client.call("kimi_chat", {"prompt": "x"}, request_id="one")
    assert answer["outputs"][0]["text"] == "You said: x"


def test_a_wrong_key_is_told_by_its_variable(database: str, play: Play) -> None:
    played = play("glm")
    played.key = "sk-another"
    with chatting(database, played) as running:
        done = busctl(database, running, "call", "glm_chat", "prompt=x")
    assert done.code == 1
    assert "GLM_API_KEY" in done.err
    (error,) = stored(database, 1)
    assert error["kind"] == "error"
    assert KEY not in busctl(database, None, "get", str(error["id"])).text


async def test_progress_tells_how_far_it_is(database: str, play: Play) -> None:
    played = play("kimi")
    played.plan.append(Reply("word " * 120, reasoning="so " * 60, pause=0.05))
    settings = {"BUSCTL_PROGRESS_INTERVAL_SECS": "0.1"}
    with chatting(database, played, **settings) as running:
        async with session(running) as client:
            await client.say("call_tool", name="kimi_chat", arguments={"prompt": "x"})
            notes = []
            while (frame := await client.hear())["op"] != "call_tool_res":
                notes.append(frame.get("note", ""))
    assert any(note.startswith("thinking") for note in notes)
    assert any(note.endswith("bytes so far") and note[0].isdigit() for note in notes)


def test_two_sites_and_one_of_the_users(database: str, play: Play, tmp_path: Path) -> None:
    kimi, glm, zai = play("kimi"), play("glm"), play("zai")
    third = play("glm")  # any OpenAI-compatible API
    profile = tmp_path / "third.toml"
    profile.write_text(
        THIRD.replace("https://api.third.example/v1", third.base)
        .replace('"third-1"', '"glm-5.2"')
        .replace("[chat]", "[chat]\nstream_options = false")
    )
    more = {"BUSCTL_PROVIDERS": str(profile), "THIRD_API_KEY": KEY}
    with chatting(database, kimi, glm, zai, **more) as running:
        tools = busctl(database, running, "call", "--list", "--json").json["tools"]
        names = {one["name"] for one in tools}
        assert {"kimi_chat", "glm_chat", "zai_chat", "third_chat"} <= names
        for tool in ("third_chat", "zai_chat"):
            done = busctl(database, running, "call", tool, "prompt=hello")
            assert done.text == "You said: hello"
    assert (len(third.chats), len(zai.chats), len(glm.chats)) == (1, 1, 0)


def test_a_daemon_without_a_key_has_no_chat_tool(database: str) -> None:
    with daemon(database) as running:
        tools = busctl(database, running, "call", "--list", "--json").json["tools"]
    assert not [one["name"] for one in tools if one["name"].endswith("_chat")]


def test_the_key_is_nowhere(database: str, play: Play) -> None:
    """In no command line, and nowhere in the store; logs and outputs are looked at above."""
    played = play("kimi")
    played.refusals.append(Refusal(400, "x", f"your key {KEY} is odd"))
    with chatting(database, played, BUSCTL_LOG_LEVEL="debug") as running:
        done = busctl(database, running, "call", "kimi_chat", "prompt=x")
        assert "your key ***" in done.err
        command = Path(f"/proc/{running.process.pid}/cmdline").read_bytes()
        assert KEY.encode() not in command
        busctl(database, None, "doctor", "--json", KIMI_API_KEY=KEY)
        busctl(database, None, "config", "show", KIMI_API_KEY=KEY)
    assert KEY not in json.dumps(stored(database), default=str)
    with psycopg.connect(direct(database)) as connection:
        rows = connection.execute("SELECT detail::text FROM bus.message_event").fetchall()
    assert KEY not in str(rows)


@pytest.mark.parametrize("name", ["glm", "kimi"])
def test_5_mb_go_through_the_daemon_in_bounded_memory(database: str, play: Play, name: str) -> None:
    played, tool = play(name), f"{name}_chat"
    with chatting(database, played) as running:
        busctl(database, running, "call", tool, "prompt=warm up")
        played.plan.append(Reply(f"{number:0999d}\n" for number in range(5_000)))
        before = peak_bytes(running.process.pid)
        done = busctl(database, running, "call", tool, "prompt=x", "--json")
        grown = peak_bytes(running.process.pid) - before
    assert done.json["size"] == 5_000_000
    # What waits in memory is bounded (4 MiB); the store's own chunks and buffers come on top.
    assert grown < 40_000_000, grown


def peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")
