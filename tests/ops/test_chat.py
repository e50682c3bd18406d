"""Chat tools, against providers played by their documents."""

from __future__ import annotations

import asyncio
import json
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from busctl.adapters.clock import SystemClock
from busctl.adapters.openai_api import OpenAiApi
from busctl.adapters.provider_profiles import load_profiles
from busctl.core.envelope import Labels
from busctl.core.errors import (
    AnswerCut,
    InvalidArguments,
    ProviderBusy,
    ProviderQuota,
    ProviderRefused,
    ProviderUnauthorized,
)
from busctl.core.labels import checked
from busctl.core.principal import OPERATOR
from busctl.core.providers.account import Account
from busctl.core.providers.profile import Profile, Retries
from busctl.ops.chat import ChatTools
from busctl.ports import Answer, Call
from tests.providers.played import KEY, Played, Refusal
from tests.providers.speaking import FOUND, Reply

Play = Callable[[str], Played]
PROFILES = {one.name: one for one in load_profiles()}
QUICK = Retries(attempts=4, first_pause=0.01, longest_pause=30)


def account(played: Played, key: str = KEY, **changed: Any) -> Account:
    profile: Profile = PROFILES[played.site.name].model_copy(update={"retries": QUICK, **changed})
    variable = profile.key_variables[0]
    return Account(profile, played.base, profile.tool, SecretStr(key), variable)


class Room:
    """One chat tool, with what it has noted and kept aside."""

    def __init__(self, played: Played, *, seconds: float = 30.0, stall: float = 5.0,
                 concurrency: int | None = None, **changed: Any) -> None:  # fmt: skip
        self.account = account(played, **changed)
        self.notes: list[str] = []
        self.aside: list[bytes] = []
        self.clock = SystemClock()
        self.tools = ChatTools(
            [self.account], lambda one: OpenAiApi(one, stall_secs=stall), self.clock,
            seconds=seconds, concurrency=concurrency, aside=self._keep,
        )  # fmt: skip

    async def _keep(self, call: Call, payload: bytes) -> UUID:
        self.aside.append(payload)
        return call.transaction_id

    async def __aenter__(self) -> Room:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.tools.close()

    async def begin(self, **arguments: Any) -> Answer:
        return await self.tools.call(Call(
            self.account.tool, arguments, OPERATOR, "s", "r", self.clock.new_id(),
            self.notes.append, lambda *_: None,
        ))  # fmt: skip

    async def ask(self, prompt: str = "good morning", **arguments: Any) -> tuple[str, Any]:
        """The answer's text, and its metadata."""
        answer = await self.begin(prompt=prompt, **arguments)
        pieces = [piece async for piece in pieces_of(answer)]
        return b"".join(pieces).decode(), answer.metadata


def pieces_of(answer: Answer) -> AsyncIterator[bytes]:
    assert answer.pieces is not None
    return answer.pieces


async def into(came: list[bytes], answer: Answer) -> None:
    async for piece in pieces_of(answer):
        came.append(piece)


@pytest.fixture(params=["kimi", "glm", "zai"])
def played(request: pytest.FixtureRequest, play: Play) -> Played:
    return play(request.param)


async def test_an_answer_and_what_is_known_of_it(played: Played) -> None:
    played.plan.append(Reply("Good morning to you. " * 20, reasoning="They greet me.",
                             keep_alive=True))  # fmt: skip
    async with Room(played) as room:
        text, metadata = await room.ask(system="Be polite.", max_tokens=100)
    assert text == "Good morning to you. " * 20
    chat = metadata["chat"]
    assert chat["provider"] == played.site.name
    assert chat["model"] == room.account.profile.default_model
    assert chat["finish_reason"] == "stop"
    assert chat["usage"] == {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    assert chat["request_ids"] == ["req-played"]
    assert chat["id"] == "cmpl-played"
    assert (chat["retries"], chat["rounds"]) == (0, 1)
    assert chat["reasoning_bytes"] == len("They greet me.")
    assert "incomplete" not in metadata
    (body,) = played.chats
    assert [one["role"] for one in body["messages"]] == ["system", "user"]
    assert body[played.site.max_tokens_field] == 100
    assert not room.aside


async def test_what_a_model_thinks_is_a_message_of_its_own(played: Played) -> None:
    played.plan.append(Reply("Yes.", reasoning="Is it so? " * 30))
    async with Room(played) as room:
        text, metadata = await room.ask(keep_reasoning=True)
    assert text == "Yes."
    assert room.aside == [("Is it so? " * 30).encode()]
    assert UUID(metadata["reasoning"]).version == 7


@pytest.mark.parametrize(
    ("name", "finish", "incomplete"),
    [("kimi", "length", "length"), ("glm", "length", "length"), ("zai", "sensitive",
     "content_filter"), ("glm", "model_context_window_exceeded", "length"),
     ("kimi", "content_filter", "content_filter"), ("kimi", "a new one", "a new one")],
)  # fmt: skip
async def test_an_answer_cut_by_its_provider_says_so(
    play: Play, name: str, finish: str, incomplete: str
) -> None:
    played = play(name)
    played.plan.append(Reply("The first half", finish=finish))
    async with Room(played) as room:
        text, metadata = await room.ask()
    assert text == "The first half"
    assert metadata["incomplete"] == incomplete
    assert metadata["chat"]["finish_reason"] == finish


BROKEN = [
    Reply("What came of it.", broken=b"[]"), Reply("What came of it.", broken=b"{\"choices\": 7}"),
    Reply("What came of it.", broken=b"{\"choices\": [{\"delta\": {\"content\": 7}}]}"),
    Reply("What came of it.", cut_after=1), Reply("What came of it.", finish=None),
    Reply("What came of it.", broken=b"{broken"),
    Reply("What came of it.", error={"message": "gone", "code": "1234", "type": "server_error"}),
]  # fmt: skip


@pytest.mark.parametrize(
    "reply", BROKEN, ids=["list", "no choice", "no text", "cut", "no finish", "no JSON", "error"]
)
async def test_an_answer_that_breaks_off_is_an_error_after_what_came(
    played: Played, reply: Reply
) -> None:
    played.plan.append(reply)
    async with Room(played) as room:
        answer = await room.begin(prompt="x")
        came: list[bytes] = []
        with pytest.raises(AnswerCut):
            await into(came, answer)
    assert b"".join(came) == b"What came of it."
    assert len(played.chats) == 1  # not asked again: its beginning may have been told already
    assert answer.metadata["chat"]["retries"] == 0


async def test_a_character_in_two_halves_is_one(played: Played) -> None:
    played.plan += [Reply(["a\ud83d", "\ude00b"]), Reply(["a\ud83d", "b"]), Reply(["a\ud83d"])]
    async with Room(played) as room:
        text, _ = await room.ask()
        assert text == "a\N{GRINNING FACE}b"
        for _ in range(2):
            with pytest.raises(AnswerCut, match="no text"):
                await room.ask()


async def test_glm_says_that_its_network_failed(play: Play) -> None:
    played = play("glm")
    played.plan.append(Reply("half", finish="network_error"))
    async with Room(played) as room:
        with pytest.raises(AnswerCut, match="network_error"):
            await room.ask()


# --- asking again ------------------------------------------------------------------------------


async def test_what_may_help_is_tried_again(played: Played) -> None:
    busy = "1302" if played.site.coded_errors else "rate_limit_reached_error"
    played.refusals += [
        Refusal(429, busy, headers={"Retry-After": "0"}), Refusal(503), Refusal(hang_up=True),
    ]  # fmt: skip
    async with Room(played) as room:
        text, metadata = await room.ask()
    assert text == "You said: good morning"
    assert metadata["chat"]["retries"] == 3
    assert len(played.chats) == 4
    assert sum("asking again" in note for note in room.notes) == 3


async def test_an_answer_cut_before_its_first_byte_is_asked_for_again(played: Played) -> None:
    played.plan.append(Reply("never seen", cut_after=0))
    async with Room(played) as room:
        text, metadata = await room.ask()
    assert text == "You said: good morning"
    assert metadata["chat"]["retries"] == 1


async def test_retry_after_is_waited_whole_or_not_at_all(played: Played) -> None:
    played.refusals.append(Refusal(429, headers={"Retry-After": "1"}))
    async with Room(played) as room:
        began = room.clock.monotonic()
        await room.ask()
        assert room.clock.monotonic() - began >= 1
        for said in ("3600", format_datetime(datetime.now(UTC) + timedelta(hours=1))):
            played.refusals.append(Refusal(429, headers={"Retry-After": said}))
            with pytest.raises(ProviderBusy) as raised:
                await room.ask()
            assert raised.value.retry_after == pytest.approx(3600, abs=60)
    async with Room(played, seconds=10) as room:
        played.refusals.append(Refusal(429, headers={"Retry-After": "20"}))
        with pytest.raises(ProviderBusy) as raised:
            await room.ask()
        assert raised.value.retry_after == 20


async def test_it_ends_after_so_many_attempts(played: Played) -> None:
    played.refusals += [Refusal(500, message="still down")] * 4
    async with Room(played) as room:
        with pytest.raises(ProviderBusy, match=r"4 times.*still down"):
            await room.ask()
    assert len(played.chats) == 4


async def test_silence_is_no_answer(play: Play) -> None:
    played = play("kimi")
    played.refusals += [Refusal(pause=1.0)] * 2
    async with Room(played, stall=0.2, retries=Retries(attempts=2, first_pause=0)) as room:
        with pytest.raises(ProviderBusy, match=r"sent nothing for 0\.2 s"):
            await room.ask()


async def test_one_that_falls_silent_in_the_middle_is_named_and_what_came_is_kept(
    played: Played,
) -> None:
    heard = threading.Event()

    def silent() -> Iterator[str]:
        yield "what came of it"
        heard.wait(30)
        yield "too late"

    played.plan.append(Reply(silent()))
    came: list[bytes] = []
    async with Room(played, stall=0.3) as room:
        answer = await room.begin(prompt="x")
        with pytest.raises(AnswerCut, match=r"broke off: 127\.0\.0\.1 sent nothing for 0\.3 s"):
            await into(came, answer)
    heard.set()
    assert came == [b"what came of it"]
    assert len(played.chats) == 1


async def test_a_wrong_key_is_told_by_its_variable(played: Played) -> None:
    async with Room(played, key="sk-wrong-and-secret") as room:
        with pytest.raises(ProviderUnauthorized) as raised:
            await room.ask()
    text = str(raised.value)
    assert room.account.profile.key_variables[0] in text
    assert "sk-wrong" not in text
    assert "secret" not in text
    assert len(played.chats) == 1


async def test_an_empty_account_is_no_rush(played: Played) -> None:
    code = "1113" if played.site.coded_errors else "exceeded_current_quota_error"
    played.refusals.append(Refusal(429, code, "please recharge"))
    async with Room(played) as room:
        with pytest.raises(ProviderQuota, match="please recharge"):
            await room.ask()
    assert len(played.chats) == 1


async def test_the_providers_own_words_do_not_tell_the_key(played: Played) -> None:
    played.refusals.append(Refusal(400, "x", f"you sent {KEY} to us"))
    async with Room(played) as room:
        with pytest.raises(ProviderRefused) as raised:
            await room.ask()
    assert KEY not in str(raised.value)
    assert "you sent" in str(raised.value)


async def test_an_error_in_place_of_a_stream(play: Play) -> None:
    """bigmodel.cn may answer 200 with an error object."""
    played = play("glm")
    played.refusals.append(Refusal(200, "1113", "no balance"))
    async with Room(played) as room:
        with pytest.raises(ProviderQuota, match="no balance"):
            await room.ask()


async def test_what_a_provider_says_of_itself_fits_into_metadata(play: Play) -> None:
    """Else a good answer would be refused for what goes with it."""
    played = play("glm")
    odd = {"total_tokens": 7, "details": {"cached": 1, "deeper": {"x": {"y": 1}}},
           "note": "\x00" * 100_000, "ratio": float("nan")}  # fmt: skip
    found = [{"title": "t\x00" * 1_000, "link": "\ud800" * 9, "content": "x"}] * 500
    played.plan.append(Reply("Fine.", usage=odd, found=found))
    async with Room(played) as room:
        text, metadata = await room.ask(web_search=True)
    assert text == "Fine."
    assert metadata["chat"]["usage"] == {
        "total_tokens": 7, "details": {"cached": 1, "deeper": {}},
    }  # fmt: skip
    assert checked(Labels(metadata=metadata)).metadata == metadata


async def test_a_redirect_is_not_followed(play: Play) -> None:
    played, other = play("kimi"), play("kimi")
    to = {"Location": f"{other.base}/chat/completions"}
    played.refusals.append(Refusal(307, headers=to))
    async with Room(played) as room:
        with pytest.raises(ProviderRefused, match="status 307"):
            await room.ask()
    assert not other.seen


async def test_whoever_stops_listening_ends_the_request(play: Play) -> None:
    played = play("kimi")
    played.plan.append(Reply("word " * 10_000, pause=0.05))
    async with Room(played) as room:
        pieces: Any = pieces_of(await room.begin(prompt="x"))
        assert b"word" in await anext(pieces)
        await pieces.aclose()
        async with asyncio.timeout(20):
            while played.at_once:
                await asyncio.sleep(0.05)


async def test_only_so_many_requests_at_once(play: Play) -> None:
    played = play("kimi")
    played.plan += [Reply("a" * 100, pause=0.02)] * 6
    async with Room(played, concurrency=2) as room:
        await asyncio.gather(*(room.ask() for _ in range(6)))
    assert played.most_at_once == 2


# --- what can be asked -------------------------------------------------------------------------


async def test_thinking_is_asked_for_as_each_model_takes_it(play: Play) -> None:
    kimi, glm = play("kimi"), play("glm")
    async with Room(kimi) as room:
        await room.ask(thinking=False)
        await room.ask(model="kimi-k3", thinking=True, effort="high")
        refused: list[tuple[dict[str, Any], str]] = [
            ({"model": "kimi-k3", "thinking": False}, "cannot be switched off"),
            ({"model": "kimi-k3", "effort": "some"}, "low, high, max"),
            ({"temperature": 0.5}, "fixed"),
            ({"model": "kimi-k3", "web_search": True}, "no web search"),
            ({"web_search": True, "thinking": True}, "does not go with thinking"),
        ]
        for wrong, said in refused:
            with pytest.raises(InvalidArguments, match=said):
                await room.ask(**wrong)
    first, second = kimi.chats
    assert first["thinking"] == {"type": "disabled"}
    assert "thinking" not in second
    assert second["reasoning_effort"] == "high"
    async with Room(glm) as room:
        await room.ask(thinking=True, effort="max", temperature=0.3)
        with pytest.raises(InvalidArguments, match="from 0 to 1"):
            await room.ask(temperature=1.2)
    assert glm.chats[0]["temperature"] == 0.3


async def test_kimi_searches_the_web_by_an_echo(play: Play) -> None:
    played = play("kimi")
    search = json.dumps({"search_result": {"search_id": "1"}, "usage": {"total_tokens": 9}})
    played.plan += [
        Reply(searches=[search, search]), Reply(searches=[search]), Reply("Rain tomorrow."),
    ]  # fmt: skip
    async with Room(played) as room:
        text, metadata = await room.ask(web_search=True)
    assert text == "Rain tomorrow."
    assert metadata["chat"]["rounds"] == 3
    assert metadata["chat"]["usage"]["total_tokens"] == 3 * 18
    last = played.chats[-1]["messages"]
    assert [one["role"] for one in last] == [
        "user", "assistant", "tool", "tool", "assistant", "tool",
    ]  # fmt: skip
    assert last[2]["content"] == search


async def test_searches_without_end_end(play: Play) -> None:
    played = play("kimi")
    played.plan += [Reply(searches=["{}"])] * 20
    async with Room(played) as room:
        with pytest.raises(ProviderRefused, match="asked for a tool"):
            await room.ask(web_search=True)
    assert len(played.chats) == 8


@pytest.mark.parametrize("name", ["glm", "zai"])
async def test_glm_tells_what_it_found(play: Play, name: str) -> None:
    played = play(name)
    played.plan.append(Reply("Rain tomorrow.", found=FOUND))
    async with Room(played) as room:
        text, metadata = await room.ask(web_search=True)
    assert text == "Rain tomorrow."
    assert metadata["chat"]["web_search"] == [{"title": "A page", "link": "https://example.com/a"}]


async def test_what_is_listed_is_what_the_provider_has(play: Play) -> None:
    kimi, glm = play("kimi"), play("glm")
    async with Room(kimi) as room:
        (info,) = room.tools.list_tools()
        properties = info.input_schema["properties"]
        assert info.name == "kimi_chat"
        assert info.provider == "kimi"
        assert "temperature" not in properties
        assert "files" not in properties
        assert properties["model"]["default"] == "kimi-k2.6"
        assert info.input_schema["required"] == ["prompt"]
        refused: list[dict[str, Any]] = [
            {}, {"prompt": ""}, {"prompt": "x", "unknown": 1}, {"prompt": "x", "files": ["/a"]},
            {"prompt": "x", "max_tokens": 0},
        ]  # fmt: skip
        for wrong in refused:
            with pytest.raises(InvalidArguments):
                await room.begin(**wrong)
    async with Room(glm) as room:
        assert "temperature" in room.tools.list_tools()[0].input_schema["properties"]


async def test_a_tool_is_there_with_its_key_alone(play: Play) -> None:
    known = account(play("kimi"))
    tools = ChatTools(
        [replace(known, key=None)], lambda one: OpenAiApi(one, stall_secs=1), SystemClock(),
        seconds=1,
    )  # fmt: skip
    assert tools.list_tools() == []


async def test_what_the_environment_has_for_openai_goes_nowhere(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-somebody")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Own: header-of-somebody")
    played = play("kimi")
    async with Room(played) as room:
        await room.ask()
    assert "of-somebody" not in str(played.seen[0].headers)


async def test_a_long_answer_takes_little_memory(play: Play) -> None:
    """5 MB in pieces of 1,000 characters, of which no more than a few are held."""
    played = play("glm")
    async with Room(played) as room:
        await room.ask("what is loaded once does not count")
        played.plan.append(Reply(f"{number:0999d}\n" for number in range(5_000)))
        answer = await room.begin(prompt="x")
        tracemalloc.start()
        size = 0
        async for piece in pieces_of(answer):
            size += len(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert size == 5_000_000
    assert peak < 2_000_000
