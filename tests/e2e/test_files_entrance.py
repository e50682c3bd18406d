"""Files and conversations through real daemons, against played providers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests import pdfs
from tests.conftest import direct
from tests.e2e.daemons import Running, daemon, session
from tests.e2e.mcp_clients import over_http
from tests.e2e.test_chat_tools import busctl
from tests.providers.played import KEY, Played
from tests.providers.speaking import Reply
from tests.upstream.config import program, write

Play = Callable[[str], Played]
PAGES = pdfs.pdf([["figures of the year"]], filler=5_000_000)


@contextmanager
def chatting(
    database: str, root: Path | None, *played: Played, **settings: str
) -> Iterator[Running]:
    """A daemon with the keys of those providers, and files below that root."""
    given = {} if root is None else {"BUSCTL_FILE_ROOTS": str(root)}
    for one in played:
        name = one.site.name.upper()
        given |= {f"{name}_API_KEY": KEY, f"{name}_BASE_URL": one.base}
    with daemon(database, **given, **settings) as started:
        yield started
        assert KEY not in started.log


async def ask(running: Running, prompt: str, tool: str = "kimi_chat", **more: Any) -> Any:
    """The call_tool_res."""
    async with session(running) as client:
        return await client.call(tool, {"prompt": prompt, **more}, request_id="r")


def metadata(database: str, answer: dict[str, Any]) -> dict[str, Any]:
    with psycopg.connect(direct(database)) as connection:
        (row,) = connection.execute(
            "select metadata from bus.message_bus where transaction_id = %s",
            [answer["transaction_id"]],
        ).fetchall()
    return dict(row[0])


async def test_five_mb_in_twenty_calls_is_uploaded_once_and_once_more_elsewhere(
    database: str, play: Play, tmp_path: Path
) -> None:
    kimi, glm = play("kimi"), play("glm")
    report = tmp_path / "report.pdf"
    report.write_bytes(PAGES)
    done = []
    with chatting(database, tmp_path, kimi, glm) as running:
        for number in range(20):
            answer = await ask(running, f"question {number}", files=[str(report)])
            (entry,) = metadata(database, answer)["files"]
            done.append(entry["done"])
        assert (kimi.count("POST", "/files"), kimi.count("GET", "/files")) == (1, 1)
        for number in range(3):
            await ask(running, f"question {number}", "glm_chat", files=[str(report)])
    assert done == ["uploaded", *["reused"] * 19]
    assert (kimi.count("POST", "/files"), glm.count("POST", "/files")) == (1, 1)
    assert all("text of report" in body["messages"][0]["content"] for body in kimi.chats)


async def test_a_conversation_outlives_its_daemon(
    database: str, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    notes = tmp_path / "notes.txt"
    notes.write_text("remember the milk")
    with chatting(database, tmp_path, kimi) as running:
        first = await ask(running, "one", conversation_id="talk", files=[str(notes)])
        running.stop(signal.SIGKILL)
    notes.unlink()
    with chatting(database, tmp_path, kimi) as one, chatting(database, tmp_path, kimi) as two:
        await ask(one, "two", conversation_id="talk")
        third = await ask(two, "three", conversation_id="talk")
    assert [message["content"] for message in kimi.chats[-1]["messages"]][1:] == [
        "one", "You said: one", "two", "You said: two", "three",
    ]  # fmt: skip
    assert "remember the milk" in kimi.chats[-1]["messages"][0]["content"]
    assert metadata(database, first)["conversation"]["turn"] == 1
    told = metadata(database, third)
    assert told["conversation"] == {"id": "talk", "turn": 3, "role": "assistant"}
    assert [one["done"] for one in told["files"]] == ["kept"]


async def test_whoever_asks_is_told_what_was_left_out(database: str, play: Play) -> None:
    """However the answer is told; and a conversation of thousands of turns loses none for it."""
    kimi = play("kimi")
    with chatting(database, None, kimi) as running:
        first = await ask(running, "one", conversation_id="talk")
        with psycopg.connect(direct(database)) as connection:
            connection.execute(
                "insert into bus.conversation_part"
                " (owner, conversation_id, turn, place, role, transaction_id, detail)"
                " select owner, conversation_id, number, place, role, gen_random_uuid(),"
                " '{\"bytes\": 9000000}' from bus.conversation_part,"
                " generate_series(2, 2000) number"
            )
            connection.execute("update bus.conversation set turns = 2000")
        small = await ask(running, "two", conversation_id="talk")
        kimi.plan.append(Reply("h" * 100_000))
        large = await ask(running, "three", conversation_id="talk")
        async with over_http(running, "auto") as client:
            asked = {"prompt": "four", "conversation_id": "talk"}
            whole = await client.call_tool("kimi_chat", asked)
            kimi.plan.append(Reply("h" * 100_000))
            replaced = await client.call_tool("kimi_chat", asked)
        done = busctl(
            database, running, "call", "kimi_chat", "prompt=five", "conversation_id=talk", "--json"
        )
    assert first["conversation"] == {"id": "talk", "turn": 1, "role": "assistant"}
    assert small["outputs"][0]["text"] == "You said: two"
    assert "claim" in large
    assert whole.content[0].text == "You said: four"
    told = [
        small["conversation"], large["conversation"], whole.meta["busctl/conversation"],
        replaced.meta["busctl/conversation"], done.json["conversation"],
    ]  # fmt: skip
    assert [one["turn"] for one in told] == [2001, 2002, 2003, 2004, 2005]
    assert all(len(one["left_out"]) + one["left_out_more"] == 2000 for one in told)
    assert "2,000 turns or files of the conversation were not sent" in done.err


async def test_fifty_files_with_long_paths_cost_no_answer(
    database: str, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    deep = tmp_path / "/".join(["d" * 200] * 5)
    files = [str(deep / f"{number}.txt") for number in range(50)]
    with chatting(database, tmp_path, kimi) as running:
        answer = await ask(running, "one", files=files, files_optional=True)
    assert answer["outputs"][0]["text"] == "You said: one"
    told = metadata(database, answer)
    assert len(told["files"]) + told["files_more"] == 50
    assert [one["path"] for one in told["files"]] == files[: len(told["files"])]
    assert all(one["reason"] == "missing" for one in told["files"])


async def test_a_daemon_that_was_killed_in_mid_turn_holds_it_no_longer_than_its_lease(
    database: str, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    with chatting(database, tmp_path, kimi) as running:
        await ask(running, "one", conversation_id="talk")
        kimi.plan.append(Reply("slowly " * 200, pause=0.05))
        async with session(running) as client:
            await client.say(
                "call_tool", name="kimi_chat", request_id="x",
                arguments={"prompt": "two", "conversation_id": "talk"},
            )  # fmt: skip
            await client.hear_op("call_tool_ack")
            while len(kimi.chats) < 2:
                await asyncio.sleep(0.02)
        running.stop(signal.SIGKILL)
    with chatting(database, tmp_path, kimi) as running:
        refused = await ask(running, "three", conversation_id="talk")
        assert refused["error"]["code"] == "CONVERSATION_BUSY"
        assert refused["error"]["retry_after"]
        with psycopg.connect(direct(database), autocommit=True) as connection:
            connection.execute("update bus.conversation set lease_until = now()")
        await ask(running, "three", conversation_id="talk")
    assert [message["content"] for message in kimi.chats[-1]["messages"]] == [
        "one", "You said: one", "three",
    ]  # fmt: skip


async def test_refusals_reach_the_client_by_their_names(
    database: str, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    (tmp_path / "notes.txt").write_text("remember the milk")
    with chatting(database, None, kimi) as running:
        closed = await ask(running, "one", files=[str(tmp_path / "notes.txt")])
    with chatting(database, tmp_path, kimi) as running:
        outside = await ask(running, "one", files=["/etc/passwd"])
        named = await _digest(running, tmp_path / "notes.txt")
        refused = await _digest(running, Path("/etc/passwd"))
        with daemon(database, BUSCTL_FILE_ROOTS="/nonexistent/folder") as lacking:
            assert "/nonexistent/folder" in lacking.log
    assert closed["error"]["code"] == outside["error"]["code"] == "FILE_REFUSED"
    assert "BUSCTL_FILE_ROOTS" in closed["error"]["message"]
    assert not kimi.chats
    assert refused["error"]["code"] == "FILE_REFUSED"
    (entry,) = metadata(database, named)["files"]
    assert named["outputs"][0]["text"] == entry["sha256"]
    assert entry["done"] == "passed"


async def test_a_tool_of_an_mcp_server_gets_only_files_below_the_roots(
    database: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "notes.txt").write_text("remember the milk")
    (root / "link.txt").symlink_to("notes.txt")
    config = write(tmp_path, tests=program())
    with daemon(database, BUSCTL_MCP_CONFIG=config, BUSCTL_FILE_ROOTS=str(root)) as running:
        async with session(running) as client:
            taken = await client.call("size_of", {"path": str(root / "link.txt")}, request_id="t")
            refused = await client.call("size_of", {"path": config}, request_id="r")
    assert taken["outputs"][0]["text"] == f"{root / 'notes.txt'} 17"
    assert [one["done"] for one in metadata(database, taken)["files"]] == ["passed"]
    assert refused["error"]["code"] == "FILE_REFUSED"


async def test_with_the_bus_switched_off_files_are_used_all_the_same(
    database: str, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    report = tmp_path / "report.pdf"
    report.write_bytes(PAGES)
    with chatting(database, tmp_path, kimi, MESSAGE_BUS_ENABLED="false") as running:
        answer = await ask(running, "one", files=[str(report)])
        refused = await ask(running, "one", conversation_id="talk")
    assert answer["outputs"][0]["text"] == "You said: one"
    assert kimi.shelf.files == {}  # nothing that nobody knows stays there
    assert refused["error"]["code"] == "DISABLED"


async def _digest(running: Running, path: Path) -> Any:
    async with session(running) as client:
        return await client.call("sha256_of", {"path": str(path)}, request_id="d")
