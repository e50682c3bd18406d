"""Analyses by a language model, played here by a server of our own: good, malformed, slow, busy."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from busctl.adapters.chat_model import ChatModel
from busctl.adapters.clock import SystemClock
from busctl.connect import Bus
from busctl.core.analysis import NoAnalysis, parsed
from busctl.core.envelope import Labels
from busctl.core.observation import Observation, Stage
from busctl.ops.analysing import Analyst
from busctl.ops.watching import Watcher
from tests.cli.commands import busctl

KEY = "key-that-nobody-sees"
GOOD = {
    "summary": "rows", "quality": 0.9, "correctness": 0.8, "anomalies": ["no rows"],
    "suggestions": ["ask again"], "confidence": 0.7,
}  # fmt: skip
Answer = Callable[[int], tuple[int, dict[str, str], str]]


class Server:
    """An OpenAI-compatible API; `answer` is told the number of the question, from 0."""

    def __init__(self, answer: Answer) -> None:
        self.questions: list[str] = []
        self.keys: set[str | None] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.keys.add(self.headers["Authorization"])
                outer.questions.append(body["messages"][1]["content"])
                status, headers, text = answer(len(outer.questions) - 1)
                said = json.dumps({
                    "choices": [{"message": {"content": text}}], "usage": {"total_tokens": 100},
                }).encode()  # fmt: skip
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                """Nothing on the test's stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def play() -> Iterator[Callable[[Answer], Server]]:
    servers: list[Server] = []

    def start(answer: Answer) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for one in servers:
        one.stop()


def good(_: int) -> tuple[int, dict[str, str], str]:
    return 200, {}, json.dumps(GOOD)


async def analysed(bus: Bus, server: Server, **limits: Any) -> list[Observation]:
    """The analyses of all that is there."""
    model = ChatModel(server.url, KEY, "m", timeout=0.5, first_pause=0.01)
    told = {"part_bytes": 1000, "per_minute": 1_000_000, "budget": 10**9, **limits}
    async with bus.follow("w") as follower:
        watcher = Watcher(bus, follower, analyst=Analyst(model, SystemClock(), **told))
        found = [one async for one in watcher.watch(once=True)]
    return [one for one in found if one.stage is Stage.ANALYSIS]


async def put(bus: Bus, text: str) -> None:
    await bus.put(text, Labels(tool_name="t"))


async def test_the_whole_payload_is_shown_in_parts(
    bus: Bus, play: Callable[[Answer], Server]
) -> None:
    server = play(good)
    text = "".join(f"line {n} é\n" for n in range(150_000))
    await put(bus, text)
    await put(bus, "short")
    await bus.put(bytes(range(256)), Labels(content_type="image/png"))
    large, short, image = await analysed(bus, server, part_bytes=200_000)
    parts = [one for one in server.questions if "This is part" in one]
    shown = [one.partition("<payload>\n")[2].removesuffix("\n</payload>") for one in parts]
    assert "".join(shown) == text + "short"
    assert large.bytes_read == len(text.encode())
    assert large.analysis is not None
    assert large.analysis["parts"] == len(parts) - 1 > 1
    assert large.analysis["tokens"] == 100 * (len(server.questions) - 1)
    assert short.analysis == {**GOOD, "parts": 1, "tokens": 100,
                              "anomalies": ("no rows",), "suggestions": ("ask again",)}  # fmt: skip
    assert [(one.rule.value, one.message) for one in short.remarks] == [("llm", "no rows")]
    assert image.bytes_read == 0
    assert image.remarks[0].detail == {"not_analysed": "no text"}
    kept = await bus.stat(short.transaction_id)
    assert kept.labels.metadata["analysis"]["quality"] == 0.9


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", "```json\n{}\n```", json.dumps(GOOD | {"quality": 7}),
             json.dumps(GOOD | {"anomalies": "one"}), json.dumps(GOOD | {"confidence": True})],
)  # fmt: skip
async def test_a_reply_that_is_no_analysis_gives_no_score(
    bus: Bus, play: Callable[[Answer], Server], text: str
) -> None:
    with pytest.raises(NoAnalysis):
        parsed(text)
    await put(bus, "text")
    (one,) = await analysed(bus, play(lambda _: (200, {}, text)))
    assert one.analysis == {"tokens": 100}
    assert one.remarks[0].detail == {"not_analysed": "error"}


async def test_a_busy_or_slow_model_is_asked_again(
    bus: Bus, play: Callable[[Answer], Server]
) -> None:
    def busy(number: int) -> tuple[int, dict[str, str], str]:
        if number == 0:
            return 429, {"Retry-After": "0"}, ""
        if number == 1:
            time.sleep(1)
        return good(number)

    server = play(busy)
    await put(bus, "text")
    (one,) = await analysed(bus, server)
    assert one.analysis is not None
    assert one.analysis["quality"] == 0.9
    assert len(server.questions) == 3


async def test_a_model_that_refuses_is_said(bus: Bus, play: Callable[[Answer], Server]) -> None:
    for status, asked in ((401, 1), (500, 4)):
        server = play(lambda _, status=status: (status, {}, ""))  # type: ignore[misc]  # mypy infers no type for a lambda with a default
        await put(bus, "text")
        (one,) = await analysed(bus, server)
        assert one.analysis == {"tokens": 0}
        assert f"status {status}" in one.remarks[0].message
        assert KEY not in one.payload().decode()
        assert len(server.questions) == asked


async def test_a_spent_budget_is_said(bus: Bus, play: Callable[[Answer], Server]) -> None:
    server = play(good)
    for _ in range(4):
        await put(bus, "text")
    found = await analysed(bus, server, budget=150)
    assert [one.analysis and "quality" in one.analysis for one in found] == [
        True,
        True,
        False,
        False,
    ]
    assert "The budget of 150 tokens a day is used up" in found[2].remarks[0].message
    assert len(server.questions) == 2


def test_on_the_command_line(database: str, play: Callable[[Answer], Server]) -> None:
    server = play(good)
    assert busctl(database, "put", "-", given=b"text").code == 0
    refused = busctl(database, "watch", "--once", "--llm")
    assert refused.code == 2
    assert "BUSCTL_LLM_API_KEY" in refused.err
    own = ("-s", f"BUSCTL_LLM_URL={server.url}", "-s", f"BUSCTL_LLM_API_KEY={KEY}")
    done = busctl(database, "watch", "--once", "--llm", "--json", *own)
    assert done.code == 1
    assert [json.loads(line)["stage"] for line in done.text.splitlines()] == ["arrival", "analysis"]
    assert server.keys == {f"Bearer {KEY}"}
    assert KEY not in done.text + done.err
    again = busctl(database, "watch", "--once", "--llm", "--name", "b", "-s",
                   "BUSCTL_LLM_TOKENS_PER_DAY=100", *own)  # fmt: skip
    assert "is used up" in again.text
