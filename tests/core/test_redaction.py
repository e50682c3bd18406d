"""Secrets leave a text in every spelling; what is proved of a connection."""

from __future__ import annotations

import pytest

from busctl.core.operating.diagnosis import Mode, mode_of
from busctl.core.redaction import Redactor

SECRET = "p@ss/wörd k4n4ry"


@pytest.mark.parametrize(
    "text",
    [
        f"it is {SECRET}.", "p%40ss%2Fw%C3%B6rd%20k4n4ry", "p%40ss%2Fw%C3%B6rd+k4n4ry",
        "postgresql://user:other-k4n4ry@host/db", "host=h password=other-k4n4ry dbname=d",
        "host=h password = 'other k4n4ry' dbname=d", "https://h/x?token=other-k4n4ry&y=1",
    ],
)  # fmt: skip
def test_no_spelling_stays(text: str) -> None:
    cleaned = Redactor([SECRET]).clean(text)
    assert "k4n4ry" not in cleaned and "***" in cleaned


def test_what_is_no_secret_stays_and_json_stays_json() -> None:
    value = {"a secret": ["it's 'fine", 1, True, None, {"url": "postgresql://u:x-y-z@h/db"}]}
    cleaned = Redactor([SECRET, "", "ab"]).clean_all(value)
    assert cleaned == {
        "a secret": ["it's 'fine", 1, True, None, {"url": "postgresql://u:***@h/db"}]
    }
    assert Redactor(["secret", "a secret"]).clean("a secret, secret") == "***, ***"


@pytest.mark.parametrize(
    ("announced", "backends", "mode"),
    [
        ([1, 2], [[1, 1], [2, 2]], Mode.DIRECT),
        ([8, 9], [[1, 1], [2, 2]], Mode.SESSION),
        ([8, 9], [[1, 1], [1, 1]], Mode.TRANSACTION),
        ([8, 9], [[1, 3], [2, 2]], Mode.TRANSACTION),
    ],
)
def test_the_mode_of_a_connection(
    announced: list[int], backends: list[list[int]], mode: Mode
) -> None:
    assert mode_of(announced, backends) is mode
