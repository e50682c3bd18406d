"""Files in front of a prompt, and conversations that go on over daemons and providers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.errors import (
    AnswerCut,
    ContextExceeded,
    ConversationBusy,
    FileRefused,
    InvalidArguments,
)
from busctl.core.files.manifest import Reason
from busctl.core.principal import Principal, Scope
from tests import pdfs
from tests.adapters.bus_sql import sql
from tests.providers.played import Played
from tests.providers.speaking import Reply
from tests.talking import talking

Play = Callable[[str], Played]
BOB = Principal("bob", frozenset({Scope.CALL, Scope.READ}))
PAGES = pdfs.pdf([["figures of the year", "revenue 42"]], filler=1000)


def contents(played: Played, number: int = -1) -> list[tuple[str, str]]:
    """Role and content of the messages of one chat request."""
    return [(one["role"], one["content"]) for one in played.chats[number]["messages"]]


# --- files ----------------------------------------------------------------------------------------


async def test_a_file_goes_before_the_prompt_and_into_the_manifest(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    notes, report = tmp_path / "notes.txt", tmp_path / "report.pdf"
    notes.write_text("remember the milk")
    report.write_bytes(PAGES)
    async with talking(bus, tmp_path, kimi) as talk:
        text, metadata = await talk.say(
            "sum up", system="be brief", files=[str(notes), str(report)]
        )
    assert text == "You said: sum up"
    roles, told = zip(*contents(kimi), strict=True)
    assert roles == ("system", "system", "system", "user")
    assert (told[0], told[3]) == ("be brief", "sum up")
    assert "notes.txt" in told[1] and "remember the milk" in told[1]
    assert "report.pdf" in told[2] and "text of report" in told[2]
    first, second = metadata["files"]
    assert (first["done"], first["name"], first["size"]) == ("inlined", "notes.txt", 17)
    assert (second["done"], second["provider"]) == ("uploaded", "kimi")
    assert {"sha256", "path", "text_id", "file_id"} <= second.keys()


async def test_a_refused_file_fails_the_call_before_anything_is_asked(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "empty.txt").write_text("")
    async with talking(bus, tmp_path, kimi) as talk:
        with pytest.raises(FileRefused) as caught:
            await talk.say(
                "sum up",
                files=[str(tmp_path / "good.txt"), str(tmp_path / "empty.txt"), "/etc/passwd"],
            )
    assert not kimi.chats
    assert "empty.txt" in caught.value.message and "/etc/passwd" in caught.value.message
    assert "files_optional" in caught.value.remedy


async def test_optional_files_are_told_to_the_model_and_in_the_manifest(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "program").write_bytes(b"\x7fELF\x02\x01\x00")
    (tmp_path / "long.txt").write_text("word " * 200_000)
    names = ["good.txt", "missing.txt", "program", "long.txt"]
    async with talking(bus, tmp_path, kimi) as talk:
        _, metadata = await talk.say(
            "sum up", files=[str(tmp_path / name) for name in names], files_optional=True
        )
    entries = metadata["files"]
    assert [(one["name"], one["done"], one.get("reason")) for one in entries] == [
        ("good.txt", "inlined", None), ("missing.txt", "refused", Reason.MISSING),
        ("program", "refused", Reason.KIND), ("long.txt", "refused", Reason.CONTEXT),
    ]  # fmt: skip
    assert all(one["why"] for one in entries[1:])
    told = [content for _, content in contents(kimi)]
    assert all(any(name in content for content in told) for name in names)


async def test_too_many_files_and_a_prompt_that_is_too_long(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    async with talking(bus, tmp_path, play("kimi")) as talk:
        with pytest.raises(FileRefused) as caught:
            await talk.say("x", files=[f"/f/{number}" for number in range(51)])
        assert caught.value.reason == Reason.TOO_MANY
        with pytest.raises(ContextExceeded):
            await talk.say("word " * 200_000, conversation_id="talk")
        await talk.say("word " * 200_000)  # nothing is added to it: the provider judges


# --- conversations --------------------------------------------------------------------------------


async def test_a_conversation_goes_on_in_another_daemon(
    bus: Bus, settings: Settings, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    (tmp_path / "notes.txt").write_text("remember the milk")
    async with talking(bus, tmp_path, kimi) as talk:
        _, first = await talk.say(
            "one", conversation_id="talk", files=[str(tmp_path / "notes.txt")]
        )
    async with Bus.connect(settings) as other, talking(other, tmp_path, kimi, name="e") as talk:
        _, second = await talk.say("two", conversation_id="talk")
        _, third = await talk.say("three", conversation_id="talk")
    assert [one["conversation"]["turn"] for one in (first, second, third)] == [1, 2, 3]
    roles, told = zip(*contents(kimi), strict=True)
    assert roles == ("system", "user", "assistant", "user", "assistant", "user")
    assert "remember the milk" in told[0]
    assert told[1:] == ("one", "You said: one", "two", "You said: two", "three")
    assert [one["done"] for one in third["files"]] == ["kept"]
    assert "left_out" not in third["conversation"]


async def test_conversations_belong_to_their_owner(bus: Bus, play: Play, tmp_path: Path) -> None:
    kimi = play("kimi")
    async with talking(bus, tmp_path, kimi) as talk:
        await talk.say("a secret", conversation_id="talk")
        await talk.say("what was it?", conversation_id="talk", principal=BOB)
        prompts = [one for one in await bus.list() if one.labels.tool_name == "busctl.conversation"]
    assert {(one.labels.owner, await bus.get(one.transaction_id)) for one in prompts} == {
        ("bob", b"what was it?"), ("operator", b"a secret"),
    }  # fmt: skip
    assert prompts[0].labels.metadata["conversation"] == {"id": "talk", "turn": 1, "role": "user"}
    assert contents(kimi) == [("user", "what was it?")]


async def test_two_turns_at_once_do_not_mix(
    bus: Bus, settings: Settings, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    kimi.plan.append(Reply("slowly " * 20, pause=0.02))
    async with (
        Bus.connect(settings) as other,
        talking(bus, tmp_path, kimi) as one,
        talking(other, tmp_path, kimi, name="e") as two,
    ):
        running = asyncio.create_task(one.say("first", conversation_id="talk"))
        while not kimi.chats:
            await asyncio.sleep(0.01)
        for talk in (one, two):
            with pytest.raises(ConversationBusy) as caught:
                await talk.say("second", conversation_id="talk")
            assert caught.value.retry_after
        await running
        await two.say("second", conversation_id="talk")
    assert len(kimi.chats) == 2
    assert [role for role, _ in contents(kimi)] == ["user", "assistant", "user"]


async def test_another_provider_ingests_once_more_and_goes_on(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi, glm = play("kimi"), play("glm")
    report = tmp_path / "report.pdf"
    report.write_bytes(PAGES)
    async with talking(bus, tmp_path, kimi, glm) as talk:
        await talk.say("one", conversation_id="talk", files=[str(report)])
        await talk.say("two", conversation_id="talk")
        _, third = await talk.say("three", "glm_chat", conversation_id="talk")
        await talk.say("four", "glm_chat", conversation_id="talk")
        await talk.say("five", conversation_id="talk")
    assert (kimi.count("POST"), glm.count("POST")) == (1, 1)
    assert [role for role, _ in contents(glm)][:3] == ["system", "user", "assistant"]
    assert "text of report" in contents(glm)[0][1]
    assert [(one["done"], one["provider"]) for one in third["files"]] == [("uploaded", "glm")]
    assert len(contents(kimi)) == 1 + 8 + 1


async def test_a_file_that_has_changed_since_keeps_the_text_of_then(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi, zai = play("kimi"), play("zai")
    report = tmp_path / "report.pdf"
    report.write_bytes(PAGES)
    async with talking(bus, tmp_path, kimi, zai) as talk:
        await talk.say("one", conversation_id="talk", files=[str(report)])
        report.write_bytes(pdfs.pdf([["other figures"]]))
        _, metadata = await talk.say("two", "glm_chat", conversation_id="talk")
        report.unlink()
        _, again = await talk.say("three", "glm_chat", conversation_id="talk")
    (entry,) = metadata["files"]
    assert entry["done"] == "kept" and "changed" in entry["why"]
    assert "text of report" in contents(zai, 0)[0][1]
    assert again["files"][0]["done"] == "kept" and "no file" in again["files"][0]["why"]


async def test_a_file_that_has_changed_since_is_sent_to_nobody(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    """Who goes on elsewhere has not named what the file is now."""
    kimi, glm = play("kimi"), play("glm")
    report = tmp_path / "report.pdf"
    report.write_bytes(PAGES)
    async with talking(bus, tmp_path, kimi, glm) as talk:
        await talk.say("one", conversation_id="talk", files=[str(report)])
        report.write_bytes(pdfs.pdf([["what only we may know"]]))
        _, metadata = await talk.say("two", "glm_chat", conversation_id="talk")
    (entry,) = metadata["files"]
    assert entry["done"] == "kept" and "changed" in entry["why"]
    assert not glm.count("POST") and not glm.shelf.files


async def test_the_same_file_given_anew_takes_the_place_of_the_older_one(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    path = tmp_path / "notes.txt"
    async with talking(bus, tmp_path, kimi) as talk:
        for text in ("the first version", "the second version"):
            path.write_text(text)
            await talk.say("read", conversation_id="talk", files=[str(path)])
        await talk.say("again", conversation_id="talk")
    told = [content for role, content in contents(kimi) if role == "system"]
    assert len(told) == 1 and "the second version" in told[0]


async def test_what_has_no_room_is_left_out_and_said(bus: Bus, play: Play, tmp_path: Path) -> None:
    kimi = play("kimi")
    (tmp_path / "notes.txt").write_text("remember the milk " * 40)
    told = []
    async with talking(bus, tmp_path, kimi, context=2000) as talk:
        for number in range(6):
            files = [str(tmp_path / "notes.txt")] if number == 0 else []
            prompt = f"{number} " + "word " * 200
            _, metadata = await talk.say(prompt, conversation_id="talk", files=files)
            told.append(metadata["conversation"].get("left_out", []))
    assert told[0] == []
    assert all(contents(kimi, number)[0][0] == "system" for number in range(6))  # the file stays
    sent = {content[:1] for role, content in contents(kimi) if role == "user"}
    left = [one["turn"] for one in told[-1]]
    assert left == list(range(1, max(left) + 1))  # the oldest
    assert all(one["why"] for one in told[-1])
    assert sent == {str(number) for number in range(6) if number + 1 not in left}


async def test_files_that_have_no_room_any_more_are_said(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    told = []
    async with talking(bus, tmp_path, kimi, context=2000) as talk:
        for name in ("a.txt", "b.txt"):
            (tmp_path / name).write_text(f"{name} " + "word " * 500)
            given = await talk.say("read", conversation_id="talk", files=[str(tmp_path / name)])
            told.append(given[1])
    assert [(one["name"], one["done"], one.get("reason")) for one in told[-1]["files"]] == [
        ("b.txt", "inlined", None), ("a.txt", "refused", "context"),
    ]  # fmt: skip
    assert [(one["turn"], one.get("file")) for one in told[-1]["conversation"]["left_out"]] == [
        (1, "a.txt")
    ]
    assert [role for role, _ in contents(kimi)] == ["system", "user", "assistant", "user"]


async def test_what_has_expired_is_left_out_and_said(
    bus: Bus, settings: Settings, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    async with talking(bus, tmp_path, kimi) as talk:
        await talk.say("one", conversation_id="talk")
        await talk.say("two", conversation_id="talk")
        rows = await sql(
            settings.database_dsn() or "",
            "select transaction_id from bus.conversation_part where turn = 1 and role = 'user'",
        )
        await bus.remove(UUID(str(rows[0][0])))
        _, metadata = await talk.say("three", conversation_id="talk")
    assert [one["turn"] for one in metadata["conversation"]["left_out"]] == [1]
    assert [content for _, content in contents(kimi)] == ["two", "You said: two", "three"]


async def test_an_answer_that_broke_off_adds_no_turn(bus: Bus, play: Play, tmp_path: Path) -> None:
    kimi = play("kimi")
    async with talking(bus, tmp_path, kimi) as talk:
        await talk.say("one", conversation_id="talk")
        kimi.plan.append(Reply("a" * 200, cut_after=3))
        with pytest.raises(AnswerCut):
            await talk.say("two", conversation_id="talk")
        await talk.say("two", conversation_id="talk")
    assert [content for _, content in contents(kimi)] == ["one", "You said: one", "two"]


async def test_a_request_that_cannot_be_made_holds_no_turn(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    async with talking(bus, tmp_path, play("kimi")) as talk:
        for wrong in ({"temperature": 9.0}, {"files": ["/etc/passwd"]}):
            with pytest.raises((InvalidArguments, FileRefused)):
                await talk.say("one", conversation_id="talk", **wrong)
        with pytest.raises(InvalidArguments):
            await talk.say("one", conversation_id="a\nb")
        await talk.say("one", conversation_id="talk")


@pytest.mark.parametrize("conversation", [None, "talk"])
async def test_a_model_that_asks_for_what_it_was_given_is_flagged(
    bus: Bus, play: Play, tmp_path: Path, conversation: str | None
) -> None:
    kimi = play("kimi")
    (tmp_path / "notes.txt").write_text("remember the milk")
    more: dict[str, Any] = {} if conversation is None else {"conversation_id": conversation}
    async with talking(bus, tmp_path, kimi) as talk:
        kimi.plan.append(Reply("Please upload the file notes.txt so that I can read it."))
        _, flagged = await talk.say("read", files=[str(tmp_path / "notes.txt")], **more)
        _, fine = await talk.say("read", files=[str(tmp_path / "notes.txt")], **more)
    assert flagged["asked_for_given_file"] == ["notes.txt"]
    assert "asked_for_given_file" not in fine


async def test_the_flag_is_in_the_audit_trail(bus: Bus, play: Play, tmp_path: Path) -> None:
    kimi = play("kimi")
    (tmp_path / "notes.txt").write_text("remember the milk")
    async with talking(bus, tmp_path, kimi) as talk:
        kimi.plan.append(Reply("I can't see any attachment."))
        await talk.say("read", files=[str(tmp_path / "notes.txt")])
        (answer,) = [one for one in await bus.list() if one.labels.tool_name == "kimi_chat"]
    noted = [one for one in await bus.events(answer.transaction_id) if "trunc" in one.kind]
    assert [dict(one.detail) for one in noted] == [
        {"kind": "asked_for_given_file", "files": ["notes.txt"]}
    ]


async def test_files_of_one_name_are_told_apart_by_their_paths(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    paths = [tmp_path / folder / "notes.txt" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(f"of {path.parent.name}")
    async with talking(bus, tmp_path, kimi) as talk:
        await talk.say("read", files=[str(path) for path in paths])
    told = [content for role, content in contents(kimi) if role == "system"]
    assert [str(path) in one for path, one in zip(paths, told, strict=True)] == [True, True]


async def test_the_last_answer_is_waited_for_while_it_is_stored(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    async with talking(bus, tmp_path, kimi) as talk:
        store_it = await talk.say_unkept("one", conversation_id="talk")

        async def late() -> None:
            await asyncio.sleep(0.5)
            await store_it()

        storing = asyncio.create_task(late())
        _, metadata = await talk.say("two", conversation_id="talk")
        await storing
    assert "left_out" not in metadata["conversation"]
    assert [content for _, content in contents(kimi)] == ["one", "You said: one", "two"]
