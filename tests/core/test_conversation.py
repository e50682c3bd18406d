"""What of a conversation is sent again, and answers that ask for what was given."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.errors import InvalidArguments
from busctl.core.providers.conversation import (
    FileText,
    Message,
    Part,
    Role,
    Said,
    as_message,
    asked_for,
    checked_id,
    cost,
    fit,
)

ID = UUID(int=0)


def turn(number: int, size: int = 100) -> list[Said]:
    return [
        Said(Part(number, Role.USER, ID), f"question {number} " + "x" * size),
        Said(Part(number, Role.ASSISTANT, ID), f"answer {number} " + "y" * size),
    ]


def test_all_of_it_in_its_order_where_there_is_room() -> None:
    files = [FileText("a.txt", "A", 1), FileText("b.txt", "B", 2)]
    fitted = fit(files, [*turn(1), *turn(2)], 10_000)
    assert not fitted.left_out
    assert [message.role for message in fitted.messages] == [
        "system", "system", "user", "assistant", "user", "assistant",
    ]  # fmt: skip
    assert [message.content.split(" x")[0].split(" y")[0] for message in fitted.messages[2:]] == [
        "question 1", "answer 1", "question 2", "answer 2",
    ]  # fmt: skip


def test_the_oldest_turns_go_first_and_are_told() -> None:
    turns = [said for number in range(1, 6) for said in turn(number)]
    one = sum(cost(Message(said.part.role, said.text)) for said in turn(5))
    fitted = fit([], turns, 2 * one + one // 2)
    assert [message.content.split()[1] for message in fitted.messages] == ["4", "4", "5", "5"]
    assert [left.turn for left in fitted.left_out] == [1, 2, 3]
    assert all(left.why for left in fitted.left_out)


def test_files_are_kept_before_turns() -> None:
    file = FileText("a.txt", "A" * 3000, 1)
    fitted = fit([file], turn(1, 3000), cost(as_message(file)) + 10)
    assert [message.role for message in fitted.messages] == ["system"]
    assert [left.turn for left in fitted.left_out] == [1]


def test_the_latest_files_are_kept_before_older_ones() -> None:
    files = [FileText(f"{number}.txt", "z" * 3000, number) for number in (1, 2, 3)]
    fitted = fit(files, [], 2 * cost(as_message(files[0])) + 10)
    assert ["2.txt" in fitted.messages[0].content, "3.txt" in fitted.messages[1].content] == [
        True, True,
    ]  # fmt: skip
    assert [(left.turn, left.file) for left in fitted.left_out] == [(1, "1.txt")]


@given(
    st.lists(st.integers(0, 2000), max_size=4), st.lists(st.integers(0, 2000), max_size=6),
    st.integers(0, 5000),
)  # fmt: skip
def test_what_is_sent_fits_and_the_rest_is_told(
    files: list[int], turns: list[int], room: int
) -> None:
    texts = [FileText(f"{place}", "f" * size, place) for place, size in enumerate(files)]
    said = [one for number, size in enumerate(turns, 1) for one in turn(number, size)]
    fitted = fit(texts, said, room)
    assert sum(map(cost, fitted.messages)) <= room
    sent_files = sum(message.role == "system" for message in fitted.messages)
    assert len(fitted.files) == sent_files
    assert sent_files + sum(left.file is not None for left in fitted.left_out) == len(files)
    sent_turns = (len(fitted.messages) - sent_files) // 2
    assert sent_turns + sum(left.file is None for left in fitted.left_out) == len(turns)


@pytest.mark.parametrize("value", ["", "x" * 257, "a\nb", 7, None, "\ud800"])
def test_names_that_no_conversation_has(value: object) -> None:
    with pytest.raises(InvalidArguments):
        checked_id(value)


ASKS = [
    "Please upload the file report.pdf so that I can look at it.",
    "I can't see any attachment in our conversation. Could you share the document?",
    "I don't have access to the file you mention.",
    "It seems that no file was attached. Please provide the document.",
    "I'm unable to open report.pdf directly.",
    "Sorry, I cannot access files.",
    "I didn't receive the attachment.",
    "请上传文件 report.pdf，我来帮你分析。",
    "抱歉，我无法直接访问您提到的文件。",
    "我没有看到附件。",
]
ANSWERS = [
    "The report says that revenue rose by 4 %.",
    "I could not find any mistake in the document.",
    "The file describes how to upload files to the server: please see section 2.",
    "Users cannot see each other's files, says report.pdf.",
    "文件中说明了收入增长了百分之四。",
    "In report.pdf the author says no customers were harmed.",
    "",
]


@pytest.mark.parametrize("answer", ASKS)
def test_an_answer_that_asks_for_what_was_given(answer: str) -> None:
    assert asked_for(answer, ["report.pdf"]) == ["report.pdf"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_does_not(answer: str) -> None:
    assert asked_for(answer, ["report.pdf"]) == []


def test_only_the_files_that_it_names() -> None:
    names = ["a (1).txt", "b.txt"]
    assert asked_for("Please attach b.txt.", names) == ["b.txt"]
    assert asked_for("Please attach a (1).txt", names) == ["a (1).txt"]
    assert asked_for("Please attach the files.", names) == names
    assert asked_for("Please attach the files.", []) == []


def test_a_long_answer_is_looked_at_at_its_ends() -> None:
    long = "word " * 20_000
    assert asked_for(f"Please upload the file. {long}", ["a"])
    assert asked_for(f"{long} Please upload the file.", ["a"])
