"""Results of the Model Context Protocol as payloads, and back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.content_type import BYTES, JSON, MCP_RESULT, TEXT, is_text
from busctl.core.mcp.result import (
    LOOKED_AT_CHARS,
    ResultPayload,
    outputs_of,
    payload_of,
    result_of,
    text_in,
)
from busctl.core.route import outputs

URI = "bus://01980000-0000-7000-8000-000000000000"
IMAGE = {"type": "image", "data": base64.b64encode(b"\x89PNG").decode(), "mimeType": "image/png"}


def one_text(text: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], **more}


def back(kept: ResultPayload) -> dict[str, Any]:
    return result_of(
        kept.body, kept.content_type, uri=URI, is_error=kept.is_error, metadata=kept.metadata
    )


ONE_TEXT = [
    (one_text("a word"), b"a word", TEXT),
    (one_text("a word", isError=False, structuredContent=None), b"a word", TEXT),
    (one_text(""), b"", TEXT),
    (one_text("gr\u00fc\u00df \U0001f600"), "gr\u00fc\u00df \U0001f600".encode(), TEXT),
    (one_text("a word", structuredContent={"result": "a word"}), b"a word", TEXT),
    (one_text("a file", structuredContent={"content": "a file"}), b"a file", TEXT),
    (one_text('{"a": 1}', structuredContent={"": '{"a": 1}'}), b'{"a": 1}', JSON),
    (one_text('{"b": 1,\n"a": 2}'), b'{"b": 1,\n"a": 2}', JSON),
    (
        one_text('{"b": 1,\n"a": 2}', structuredContent={"a": 2, "b": 1}),
        b'{"b": 1,\n"a": 2}',
        JSON,
    ),
    (one_text("[1, 2]", structuredContent={"result": [1, 2]}), b"[1, 2]", JSON),
    (one_text("7", structuredContent={"result": 7}), b"7", TEXT),
    (one_text("[info] it began [info]"), b"[info] it began [info]", TEXT),
    (one_text("it failed", isError=True), b"it failed", TEXT),
    (one_text("a", resultType="complete", _meta={"io.modelcontextprotocol/x": 1}), b"a", TEXT),
]


@pytest.mark.parametrize(("result", "body", "content_type"), ONE_TEXT)
def test_one_text_is_its_bytes(result: dict[str, Any], body: bytes, content_type: str) -> None:
    kept = payload_of(result, b"as received")
    assert (kept.body, kept.content_type) == (body, content_type)
    assert kept.is_error is (result.get("isError") is True)
    told = back(kept)
    assert told["content"] == result["content"]
    if result.get("structuredContent") is not None:
        assert told["structuredContent"] == result["structuredContent"]


REFUSED = [
    {"content": [{"type": "hologram", "layers": 3}]},
    {"content": [{"type": "text"}]},
    {"content": [{"type": "text", "text": 5}]},
    {"content": [{"type": "image", "data": "aGk="}]},
    {"content": [{"type": "resource", "resource": {"uri": "file:///a"}}]},
    {"content": [{"type": "text", "text": "a", "annotations": "loud"}]},
    {"content": ["a word"]},
    {"content": None},
    {"content": "no list"},
    {"content": {"type": "text", "text": "a"}},
    one_text("a", structuredContent=["a"]),
    {"content": [], "_meta": 5},
    one_text("half a pair \ud83d"),
    {"content": [], "structuredContent": {"\udc00": 1}},
    {"task": {"taskId": "1"}},
]

MORE_THAN_A_TEXT = [
    {"content": []},
    {"content": [], "structuredContent": {"a": 1}},
    {"content": [{"type": "text", "text": "a"}, IMAGE]},
    {"content": [{"type": "text", "text": "a", "annotations": {"priority": 1}}]},
    one_text("a", _meta={"mine": 1}),
    one_text("a", structuredContent={"result": "b"}),
    one_text("a", structuredContent={"content": "a", "more": None}),
    one_text("a", structuredContent={"n" * 65: "a"}),
    one_text("1", structuredContent={"result": True}),
    one_text('{"a": 1}', structuredContent={"a": 1.0}),
    one_text("half of it", resultType="partial"),
    one_text("a", tomorrow={"b": 1}),
    *REFUSED,
]


@pytest.mark.parametrize("result", MORE_THAN_A_TEXT)
def test_anything_else_is_kept_whole(result: dict[str, Any]) -> None:
    raw = json.dumps(result, indent=1).encode()
    assert payload_of(result, raw) == ResultPayload(raw, MCP_RESULT)
    serialised = payload_of(result)
    assert serialised.content_type == MCP_RESULT
    assert json.loads(serialised.body) == result
    if result not in REFUSED:
        assert back(serialised) == result


def test_an_error_of_several_blocks_stays_one() -> None:
    result = {"content": [IMAGE], "isError": True}
    kept = payload_of(result)
    assert kept.is_error
    assert back(kept) == result


def test_long_json_is_told_by_its_beginning_and_its_end() -> None:
    rows = json.dumps([{"row": at, "text": "\u00e9" * 10} for at in range(5_000)])
    assert len(rows) > LOOKED_AT_CHARS
    assert payload_of(one_text(rows)).content_type == JSON
    assert payload_of(one_text(f"  {rows}\n")).content_type == JSON
    assert payload_of(one_text(rows[:-1])).content_type == TEXT
    assert payload_of(one_text(f"[info] {rows}")).content_type == TEXT
    long_text = "{" + " a word" * LOOKED_AT_CHARS + "}"
    assert payload_of(one_text(long_text)).content_type == TEXT


@given(st.text(), st.booleans())
def test_every_text_comes_back(text: str, doubled: bool) -> None:
    more = {"structuredContent": {"result": text}} if doubled else {}
    kept = payload_of(one_text(text, **more))
    assert kept.body.decode() == text
    told = back(kept)
    assert told["content"] == [{"type": "text", "text": text}]
    if doubled:
        assert told["structuredContent"] == {"result": text}


PYTHON_ANSWERS = [
    (b"a word", TEXT, {"type": "text", "text": "a word"}),
    (b"\x89PNG", "image/png", IMAGE),
    (b"RIFF", "audio/wav; rate=1", {"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"}),
    (
        b"\xff\x00",
        BYTES,
        {"type": "resource", "resource": {"uri": URI, "mimeType": BYTES, "blob": "/wA="}},
    ),
    (
        b"\xff\x00",
        TEXT,
        {"type": "resource", "resource": {"uri": URI, "mimeType": "text/plain", "blob": "/wA="}},
    ),
]


@pytest.mark.parametrize(("payload", "content_type", "block"), PYTHON_ANSWERS)
def test_an_answer_of_python_is_one_block(
    payload: bytes, content_type: str, block: dict[str, Any]
) -> None:
    assert result_of(payload, content_type, uri=URI) == {"content": [block]}


def test_a_json_object_of_python_is_structured_content_too() -> None:
    assert result_of(b'{"a":1}', JSON, uri=URI) == one_text('{"a":1}', structuredContent={"a": 1})
    assert result_of(b"[1]", JSON, uri=URI) == one_text("[1]")
    assert result_of(b"{no json", JSON, uri=URI) == one_text("{no json")
    assert result_of(b"{}", TEXT, uri=URI, is_error=True) == one_text("{}", isError=True)


def test_bytes_under_the_results_type_that_are_no_result_travel_as_text() -> None:
    assert result_of(b"no json", MCP_RESULT, uri=URI) == one_text("no json")
    assert outputs_of(b"no json") is None
    assert outputs(b"[1]", MCP_RESULT, as_blocks=True) == [{"type": "text", "text": "[1]"}]


@pytest.mark.parametrize(
    ("texts", "structured", "further"),
    [
        (["see below"], {"rows": [1]}, True),
        (["see below", '{"rows": [1]}'], {"rows": [1]}, False),
        (["a", "b"], {"result": ["a", "b"]}, False),
        (["a", "b"], {"result": ["a", "c"]}, True),
        (["1", "b"], {"result": [1, "b"]}, False),
        ([], {"result": []}, True),
    ],
)
def test_structured_content_that_no_text_repeats_is_an_output_of_its_own(
    texts: list[str], structured: dict[str, Any], further: bool
) -> None:
    blocks = [{"type": "text", "text": text} for text in texts]
    kept = payload_of({"content": [*blocks, IMAGE], "structuredContent": structured})
    told = outputs(kept.body, kept.content_type, as_blocks=True)
    assert told is not None
    assert told[: len(blocks)] == blocks
    said = [json.loads(one["text"]) for one in told[len(blocks) + 1 :]]
    assert said == ([structured] if further else [])


def test_a_client_without_content_types_gets_an_output_for_each_block() -> None:
    blob = {"uri": "file:///a", "blob": "/wA=", "mimeType": "application/zip"}
    link = {"type": "resource_link", "uri": "file:///b", "name": "b"}
    result = {
        "content": [
            {"type": "text", "text": "first"},
            IMAGE,
            {"type": "resource", "resource": {"uri": "file:///c", "text": "third"}},
            {"type": "resource", "resource": blob},
            link,
        ]
    }
    kept = payload_of(result)
    told = outputs(kept.body, kept.content_type, as_blocks=True)
    assert told[:4] == [
        {"type": "text", "text": "first"},
        {"type": "blob", "data": IMAGE["data"], "mimeType": "image/png"},
        {"type": "text", "text": "third"},
        {"type": "blob", "data": "/wA=", "mimeType": "application/zip"},
    ]
    assert json.loads(told[4]["text"]) == link
    (whole,) = outputs(kept.body, kept.content_type)
    assert whole["text"].encode() == kept.body
    assert is_text(kept.content_type)


def test_structured_content_stands_for_a_result_without_blocks() -> None:
    kept = payload_of({"content": [], "structuredContent": {"a": 1}})
    assert outputs(kept.body, kept.content_type, as_blocks=True) == [
        {"type": "text", "text": '{"a":1}'}
    ]


def test_what_a_payload_says_to_people() -> None:
    kept = payload_of({"content": [{"type": "text", "text": "a"}, IMAGE, one_text("b")]})
    assert text_in(kept.body, kept.content_type) == "a"
    assert text_in(b"a word", TEXT) == "a word"
    assert text_in(b"\xff", BYTES) == ""


@pytest.mark.parametrize("result", REFUSED)
def test_a_result_that_clients_would_refuse_is_told_as_its_json(result: dict[str, Any]) -> None:
    told = back(payload_of({**result, "isError": True}))
    (block,) = told["content"]
    assert block["type"] == "text"
    assert json.loads(block["text"]) == {**result, "isError": True}
    assert "structuredContent" not in told
    assert told["isError"] is True
    block["text"].encode()


@pytest.mark.parametrize("result", [{}, {"structuredContent": {"a": 1}}])
def test_a_result_without_blocks_gets_an_empty_list(result: dict[str, Any]) -> None:
    assert back(payload_of(result)) == {**result, "content": []}


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    kept = payload_of({}, b'{"content":[{"type":"text","text":"\\ud83d\\ude00"},'
                          b'{"type":"text","text":""}]}')  # fmt: skip
    assert back(kept)["content"][0]["text"] == "\U0001f600"


@pytest.mark.parametrize(
    "text",
    [
        "message 01a21e34-dd85-7b55-8906-dd52e613fe21",
        "iVBORw0KGgo1E4096kJggg==",
        "7" * 400,
        "1e999",
    ],
)
def test_texts_that_look_like_large_numbers_are_texts(text: str) -> None:
    blocks = [{"type": "text", "text": text}, {"type": "text", "text": "2"}]
    result = {"content": blocks, "structuredContent": {"id": text, "n": 1e300}}
    assert result_of(json.dumps(result).encode(), MCP_RESULT, uri="bus://x") == result


@pytest.mark.parametrize("number", ["1e999", "-1E+400", "9" * 400])
def test_a_number_that_no_double_holds_is_told_as_its_json(number: str) -> None:
    received = f'{{"content":[],"structuredContent":{{"deep":[{{"n":{number}}}]}}}}'
    told = result_of(received.encode(), MCP_RESULT, uri="bus://x")
    assert told == {"content": [{"type": "text", "text": received}]}
