"""A piece of a payload made readable, and nothing of it changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from busctl.core.reading.preview import Form, form_of, shown


def test_each_form_fits_its_content_types() -> None:
    assert form_of("application/json; charset=utf-8") is Form.JSON
    assert form_of("application/problem+json") is Form.JSON
    assert form_of("text/html") is Form.TEXT
    assert form_of("application/octet-stream") is Form.HEX


def test_hexadecimal_counts_from_the_offset() -> None:
    assert shown(b"A\x00\xff", Form.HEX, offset=4096) == (
        "00001000  41 00 ff                                         A.."
    )


def test_json_is_laid_out_and_repeated_keys_stay() -> None:
    assert shown(b'{"a":[1.0,1e400],"a":"x, {y}"}', Form.JSON, offset=0) == (
        '{\n  "a": [\n    1.0,\n    1e400\n  ],\n  "a": "x, {y}"\n}'
    )


def test_json_without_members_stays_on_its_line() -> None:
    assert shown(b'{"a":{ },"b":[]}', Form.JSON, offset=0) == '{\n  "a": {},\n  "b": []\n}'
    assert shown(b'{"a":"{}"}', Form.JSON, offset=0) == '{\n  "a": "{}"\n}'


def test_what_would_steer_a_reader_is_written_out() -> None:
    assert shown(b"a\x1b[2Jb\xff", Form.TEXT, offset=0) == "a\\x1b[2Jb\ufffd"


@given(st.binary(max_size=200), st.sampled_from(Form), st.sampled_from([0, 7]))
def test_any_bytes_can_be_shown(piece: bytes, form: Form, offset: int) -> None:
    assert (
        shown(piece, form, offset=offset).isprintable() or form is not Form.HEX or len(piece) > 16
    )


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=200))
def test_layout_only_adds_blanks(text: str) -> None:
    told = shown(text.encode(), Form.JSON, offset=0)
    assert "".join(told.split()) == "".join(text.split())
