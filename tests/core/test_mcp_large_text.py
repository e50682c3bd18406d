"""One large text, read out of its result without parsing that: the same as by parsing it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from busctl.core.mcp.large_text import LARGE_BYTES, PIECE_BYTES, large_text
from busctl.core.mcp.result import payload_of

FORMS = [
    '{{"content":[{{"type":"text","text":{text}}}],"isError":{error}{structured}}}',
    '{{"content": [ {{"text": {text}, "type": "text"}} ]{structured}, "isError": {error}}}',
    '{{"_meta":{{"io.modelcontextprotocol/x":"\\"text\\": 1"}},"content":[{{"text":{text},'
    '"type":"text"}}],"isError":{error},"resultType":"complete"{structured}}}',
]


def result(text: str, form: str, *, ascii: bool, doubled: bool, error: bool = False) -> bytearray:
    as_json = json.dumps(text, ensure_ascii=ascii)
    structured = f',"structuredContent":{{"result":{as_json}}}' if doubled else ""
    made = form.format(text=as_json, error=json.dumps(error), structured=structured)
    return bytearray(made.encode("utf-8", "surrogatepass"))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=25)
@given(
    st.text(min_size=1), st.sampled_from(FORMS), st.booleans(), st.booleans(), st.booleans(),
    st.integers(0, 200),
)  # fmt: skip
def test_it_is_what_parsing_gives(
    unit: str, form: str, ascii: bool, doubled: bool, error: bool, shift: int
) -> None:
    """`shift` moves where pieces are cut: within escapes, pairs and characters, too."""
    text = "x" * shift + unit * (LARGE_BYTES // len(unit) + 1)
    line = result(text, form, ascii=ascii, doubled=doubled, error=error)
    kept = large_text(line)
    assert kept == payload_of(json.loads(line))


@pytest.mark.parametrize("unit", ["\u00e9", "\u20ac", "\U0001f600", "\n", '"', "\\", '\\"', "\x00"])
@pytest.mark.parametrize("ascii", [True, False])
def test_no_piece_cuts_a_character(unit: str, ascii: bool) -> None:
    for shift in range(13):
        text = "x" * shift + unit * (PIECE_BYTES // 2)
        kept = large_text(result(text, FORMS[0], ascii=ascii, doubled=True))
        assert kept is not None
        assert kept.body == text.encode()


OTHERS = [
    result("x" * LARGE_BYTES + "\ud83d", FORMS[0], ascii=True, doubled=False),
    result("small", FORMS[0], ascii=True, doubled=True),
    bytearray(json.dumps({"content": [], "structuredContent": {"text": "x" * LARGE_BYTES}})
              .encode()),
    bytearray(json.dumps({
        "content": [{"type": "text", "text": "x" * LARGE_BYTES}],
        "structuredContent": {"result": "x" * LARGE_BYTES + "y"},
    }).encode()),
    bytearray(json.dumps({
        "content": [{"type": "text", "text": "x" * LARGE_BYTES}, {"type": "text", "text": "y"}],
    }).encode()),
    bytearray(json.dumps({
        "content": [{"type": "text", "text": "x" * LARGE_BYTES, "annotations": {"priority": 1}}],
    }).encode()),
    bytearray(b'{"content":[{"type":"text","text":"' + b"x" * LARGE_BYTES),
    bytearray(b'{"content":[{"type":"text","text":"' + b"x" * LARGE_BYTES + b'\xff"}]}'),
    bytearray(b'{"content":[{"type":"text","text":"' + b"x" * LARGE_BYTES + b'\\q"}]}'),
]  # fmt: skip


@pytest.mark.parametrize("line", OTHERS)
def test_anything_else_is_left_to_parsing(line: bytearray) -> None:
    before = bytes(line)
    assert large_text(line) is None
    assert line == before


def test_json_is_told_from_text() -> None:
    rows = json.dumps([{"row": number} for number in range(LARGE_BYTES // 10)])
    for text, kind in ((rows, "application/json"), (rows[:-1], "text/plain; charset=utf-8")):
        kept: Any = large_text(result(text, FORMS[1], ascii=False, doubled=True))
        assert kept.content_type == kind
