"""The played providers themselves: what they take, what they refuse, and what fails a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest

from tests.providers.played import KEY, Played, Refusal
from tests.providers.site import SITES
from tests.providers.speaking import Reply

SAY: Any = [{"role": "user", "content": "good morning"}]
MODELS = {"kimi": "kimi-k2.6", "glm": "glm-5.2", "zai": "glm-5.2"}


@pytest.fixture(params=["kimi", "glm", "zai"])
def played(request: pytest.FixtureRequest, play: Callable[[str], Played]) -> Played:
    return play(request.param)


@pytest.fixture
def judged() -> Iterator[Callable[[str], Played]]:
    """Played, but the faults are the test's own matter."""
    started: list[Played] = []

    def start(name: str) -> Played:
        started.append(Played(SITES[name]))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def client(played: Played, key: str = KEY) -> openai.OpenAI:
    return openai.OpenAI(api_key=key, base_url=played.base, max_retries=0)


def test_chat(played: Played) -> None:
    model = MODELS[played.site.name]
    with client(played) as api:
        answer = api.chat.completions.create(model=model, messages=SAY)
        assert answer.choices[0].message.content == "You said: good morning"
        assert answer.usage is not None and answer.usage.total_tokens == 18


def test_stream(played: Played) -> None:
    played.plan.append(Reply("a" * 50, reasoning="because " * 10, keep_alive=True))
    options: dict[str, Any] = (
        {"stream_options": {"include_usage": True}} if played.site.usage_on_request else {}
    )
    with client(played) as api:
        stream: Any = api.chat.completions.create(
            model=MODELS[played.site.name], messages=SAY, stream=True, **options
        )
        chunks = list(stream)
    deltas = [one.choices[0].delta for one in chunks if one.choices]
    assert "".join(one.content or "" for one in deltas) == "a" * 50
    assert "".join(getattr(one, "reasoning_content", None) or "" for one in deltas).startswith(
        "because because"
    )
    assert [one.usage.total_tokens for one in chunks if one.usage] == [18]


def test_a_stream_that_is_cut(played: Played) -> None:
    played.plan.append(Reply("a" * 200, cut_after=3))
    with client(played) as api:
        stream: Any = api.chat.completions.create(
            model=MODELS[played.site.name], messages=SAY, stream=True
        )  # fmt: skip
        with pytest.raises(openai.APIConnectionError):
            list(stream)


def test_files(played: Played) -> None:
    purpose: Any = "agent" if played.site.name == "zai" else "file-extract"
    name = "report.pdf"
    payload = b"%PDF-1.7\r\n" + os.urandom(3000) + b"\r\n--x\r\n"
    with client(played) as api:
        held = api.files.create(file=(name, payload), purpose=purpose)
        assert played.shelf.files[held.id].payload == payload
        if not played.site.content:  # nothing else is documented there
            return
        by: Any = {"purpose": purpose} if played.site.listed_by else {}
        (listed,) = api.files.list(**by)
        assert (listed.id, listed.filename) == (held.id, name)
        if not by:
            assert api.files.retrieve(held.id).filename == name
        assert name in api.files.content(held.id).text
        assert api.files.delete(held.id).deleted
        assert not list(api.files.list(**by))
        if not by:
            with pytest.raises(openai.NotFoundError):
                api.files.retrieve(held.id)


def test_a_wrong_key_and_a_plan_of_refusals(played: Played) -> None:
    model = MODELS[played.site.name]
    with client(played, "sk-wrong") as api, pytest.raises(openai.AuthenticationError):
        api.chat.completions.create(model=model, messages=SAY)
    played.refusals += [
        Refusal(429, "1302", headers={"Retry-After": "3"}), Refusal(hang_up=True),
    ]  # fmt: skip
    with client(played) as api:
        with pytest.raises(openai.RateLimitError) as raised:
            api.chat.completions.create(model=model, messages=SAY)
        assert raised.value.response.headers["Retry-After"] == "3"
        with pytest.raises(openai.APIConnectionError):
            api.chat.completions.create(model=model, messages=SAY)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("kimi", {"max_tokens": 5}, "deprecated"),
    ("kimi", {"temperature": 0.2}, "fixed"),
    ("kimi", {"model": "kimi-k3", "thinking": {"type": "disabled"}}, "takes no thinking"),
    ("kimi", {"tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}]},
     "does not go with thinking"),
    ("kimi", {"logit_bias": {}}, "'logit_bias' is none"),
    ("kimi", {"messages": [{"role": "user", "content": ""}]}, "no content"),
    ("glm", {"temperature": 1.5}, "from 0 to 1"),
    ("glm", {"stream": True, "stream_options": {"include_usage": True}}, "'stream_options'"),
    ("glm", {"tools": [{"type": "web_search", "web_search": {"enable": True}}]}, "no web search"),
    ("zai", {"messages": [{"role": "system", "content": "x"}]}, "nothing of the user"),
    ("zai", {"max_completion_tokens": 5}, "'max_completion_tokens'"),
    ("zai", {"messages": [*SAY, {"role": "tool", "tool_call_id": "a", "content": "x"}]},
     "was not made"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "more", "fault"), WRONG)
def test_what_is_not_documented_is_a_fault(
    judged: Callable[[str], Played], name: str, more: dict[str, Any], fault: str
) -> None:
    played = judged(name)
    body = {"model": MODELS[name], "messages": SAY, **more}
    answer = httpx2.post(
        f"{played.base}/chat/completions", json=body, headers={"Authorization": f"Bearer {KEY}"}
    )
    assert answer.status_code == 400
    assert fault in played.faults[0]


@pytest.mark.parametrize(
    ("name", "purpose", "more", "fault"),
    [
        ("kimi", "agent", {}, "no purpose 'agent'"), ("zai", "file-extract", {}, "no purpose"),
        ("glm", "agent", {"extra": "1"}, "'extra' is no field"),
    ],
)  # fmt: skip
def test_a_wrong_upload_is_a_fault(
    judged: Callable[[str], Played], name: str, purpose: str, more: dict[str, str], fault: str
) -> None:
    played = judged(name)
    answer = httpx2.post(
        f"{played.base}/files", files={"file": ("a.txt", b"text")},
        data={"purpose": purpose, **more}, headers={"Authorization": f"Bearer {KEY}"},
    )  # fmt: skip
    assert answer.status_code == 400
    assert fault in played.faults[0]


def test_a_missing_key_and_a_missing_method_are_faults(judged: Callable[[str], Played]) -> None:
    played = judged("zai")
    assert httpx2.get(f"{played.base}/files").status_code == 401
    headers = {"Authorization": f"Bearer {KEY}"}
    assert httpx2.get(f"{played.base}/files/file-1/content", headers=headers).status_code == 404
    assert len(played.faults) == 2


def test_limits_of_files(judged: Callable[[str], Played]) -> None:
    played = judged("glm")
    headers = {"Authorization": f"Bearer {KEY}"}

    def upload(name: str, payload: bytes) -> int:
        return httpx2.post(
            f"{played.base}/files", files={"file": (name, payload)},
            data={"purpose": "file-extract"}, headers=headers,
        ).status_code  # fmt: skip

    assert upload("a.png", bytes(5_000_001)) == 400
    assert upload("a.exe", b"x") == 400
    assert upload("a.pdf", b"") == 400
    assert upload("a.pdf", b"x") == 200
    assert not played.faults
