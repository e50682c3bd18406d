"""Analyses by a language model, played here by its documents: good, malformed, slow, busy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from busctl.adapters.clock import SystemClock
from busctl.adapters.openai_api import OpenAiApi
from busctl.adapters.provider_profiles import load_profiles
from busctl.connect import Bus
from busctl.core.envelope import Labels
from busctl.core.providers.account import Account
from busctl.core.providers.profile import Retries
from busctl.core.watching.analysis import NoAnalysis, parsed
from busctl.core.watching.observation import Observation, Stage
from busctl.ops.analysing import Analyst
from busctl.ops.chat.model import JsonModel
from busctl.ops.watching import Watcher
from tests.cli.commands import busctl
from tests.providers.played import KEY, Played, Refusal
from tests.providers.speaking import Reply

GOOD = {
    "summary": "rows", "quality": 0.9, "correctness": 0.8, "anomalies": ["no rows"],
    "suggestions": ["ask again"], "confidence": 0.7,
}  # fmt: skip


Play = Callable[[str], Played]


def good(_: Mapping[str, Any] | None = None, text: str = json.dumps(GOOD)) -> Reply:
    return Reply(text, usage={"total_tokens": 100})


@pytest.fixture
def model(play: Play) -> Played:
    played = play("glm")
    played.speak = good
    return played


def questions(played: Played) -> list[str]:
    return [body["messages"][1]["content"] for body in played.chats]


async def analysed(bus: Bus, played: Played, **limits: Any) -> list[Observation]:
    """The analyses of all that is there."""
    (profile,) = [one for one in load_profiles() if one.name == played.site.name]
    quick = profile.model_copy(update={"retries": Retries(attempts=4, first_pause=0.01)})
    account = Account(quick, played.base, "t", SecretStr(KEY), "BUSCTL_LLM_API_KEY")
    api = OpenAiApi(account, stall_secs=0.5)
    await api.client()  # what is loaded once takes its time
    asked = JsonModel(account, api, SystemClock(), "glm-4.6", seconds=0.5)

    async def nothing() -> int:
        return 0

    told = {
        "part_bytes": 1000, "per_minute": 1_000_000, "budget": 10**9, "all_spent": nothing,
        **limits,
    }  # fmt: skip
    async with bus.follow("w") as follower:
        watcher = Watcher(bus, follower, analyst=Analyst(asked, SystemClock(), **told))
        found = [one async for one in watcher.watch(once=True)]
    await api.close()
    return [one for one in found if one.stage is Stage.ANALYSIS]


async def put(bus: Bus, text: str) -> None:
    await bus.put(text, Labels(tool_name="t"))


async def test_the_whole_payload_is_shown_in_parts(bus: Bus, model: Played) -> None:
    server = model
    text = "".join(f"line {n} é\n" for n in range(150_000))
    await put(bus, text)
    await put(bus, "short")
    await bus.put(bytes(range(256)), Labels(content_type="image/png"))
    large, short, image = await analysed(bus, server, part_bytes=200_000)
    parts = [one for one in questions(server) if "This is part" in one]
    shown = [one.partition("<payload>\n")[2].removesuffix("\n</payload>") for one in parts]
    assert "".join(shown) == text + "short"
    assert large.bytes_read == len(text.encode())
    assert large.analysis is not None
    assert large.analysis["parts"] == len(parts) - 1 > 1
    assert large.analysis["tokens"] == 100 * (len(questions(server)) - 1)
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
    bus: Bus, model: Played, text: str
) -> None:
    with pytest.raises(NoAnalysis):
        parsed(text)
    await put(bus, "text")
    model.speak = lambda _: good(text=text)
    (one,) = await analysed(bus, model)
    assert one.analysis == {"tokens": 100}
    assert one.remarks[0].detail == {"not_analysed": "error"}


async def test_a_busy_or_slow_model_is_asked_again(bus: Bus, model: Played) -> None:
    server = model
    server.refusals += [Refusal(429, headers={"Retry-After": "0"}), Refusal(pause=1.0)]
    await put(bus, "text")
    (one,) = await analysed(bus, server)
    assert one.analysis is not None
    assert one.analysis["quality"] == 0.9
    assert len(questions(server)) == 3


async def test_a_model_that_refuses_is_said(bus: Bus, play: Play) -> None:
    for status, asked in ((401, 1), (500, 4)):
        server = play("glm")
        server.refusals += [Refusal(status)] * asked
        await put(bus, "text")
        (one,) = await analysed(bus, server)
        assert one.analysis == {"tokens": 0}
        assert f"status {status}" in one.remarks[0].message
        assert ". Look at BUSCTL_LLM_URL" in one.remarks[0].message
        assert KEY not in one.payload().decode()
        assert len(server.chats) == asked


async def test_a_spent_budget_is_said(bus: Bus, model: Played) -> None:
    server = model
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
    assert len(questions(server)) == 2


async def test_what_other_watchers_have_spent_counts(bus: Bus, model: Played) -> None:
    async def all_spent() -> int:
        return 900

    await put(bus, "text")
    (one,) = await analysed(bus, model, budget=900, all_spent=all_spent)
    assert "The budget of 900 tokens a day is used up" in one.remarks[0].message
    assert (one.bytes_read, model.chats) == (0, []), "the model was shown nothing"


async def test_a_reply_that_breaks_off_is_asked_for_again(bus: Bus, model: Played) -> None:
    replies = [
        Reply(json.dumps(GOOD), cut_after=2), Reply(json.dumps(GOOD)[:50], finish=None), good(),
    ]  # fmt: skip
    model.speak = lambda _: replies.pop(0)
    await put(bus, "text")
    (one,) = await analysed(bus, model)
    assert one.analysis is not None
    assert one.analysis["quality"] == 0.9
    model.speak = lambda _: Reply(json.dumps(GOOD), finish=None)
    await put(bus, "text")
    (one,) = await analysed(bus, model)
    assert "broke off" in one.remarks[0].message
    assert one.bytes_read == 0


def test_on_the_command_line(database: str, model: Played) -> None:
    server = model
    assert busctl(database, "put", "-", given=b"text").code == 0
    refused = busctl(database, "watch", "--once", "--llm")
    assert refused.code == 2
    assert "BUSCTL_LLM_API_KEY" in refused.err
    own = ("-s", f"BUSCTL_LLM_URL={server.base}", "-s", f"BUSCTL_LLM_API_KEY={KEY}")
    done = busctl(database, "watch", "--once", "--llm", "--json", *own)
    assert done.code == 1
    assert [json.loads(line)["stage"] for line in done.text.splitlines()] == ["arrival", "analysis"]
    assert {one.headers["Authorization"] for one in server.seen} == {f"Bearer {KEY}"}
    assert KEY not in done.text + done.err
    assert "1 message observed, 4 bytes read" in done.err, "however many observations of it"
    again = busctl(database, "watch", "--once", "--llm", "--name", "b", "-s",
                   "BUSCTL_LLM_TOKENS_PER_DAY=100", *own)  # fmt: skip
    assert "is used up" in again.text
