"""What is no JSON is a ValueError, whatever the parser makes of it."""

from __future__ import annotations

import pytest

from busctl.core.jsontext import parse_json

HOSTILE = ["", "[" * 100_000, '{"a":' * 100_000, "NaN", "[-Infinity]", "1" * 100_000, b"\xff", "{"]


def test_json() -> None:
    assert parse_json('{"a": [1, 2.5, null, "\\u00e9"]}') == {"a": [1, 2.5, None, "é"]}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_none(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


def test_a_number_too_long_is_told_in_words_for_its_writer() -> None:
    with pytest.raises(ValueError, match="more than 4,300 digits"):
        parse_json('{"a": ' + "9" * 5_000 + "}")
