"""Where two byte strings part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.comparison import Case, Comparison, Difference, Verdict, difference


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300))
def test_the_first_byte_that_differs(same: bytes, one: bytes, other: bytes) -> None:
    expected, got = same + one, same + other
    found = difference(expected, got)
    if expected == got:
        assert found is None
        return
    assert found is not None
    at = found.offset
    assert expected[:at] == got[:at]
    assert expected[at : at + 1] != got[at : at + 1]
    assert (found.expected_size, found.got_size) == (len(expected), len(got))


@pytest.mark.parametrize(
    ("expected", "got", "offset"),
    [(b"abc", b"ab", 2), (b"ab", b"abc", 2), (b"", b"x", 0), (b"x", b"", 0), (b"abc", b"xbc", 0)],
)
def test_a_byte_that_is_missing_or_too_many(expected: bytes, got: bytes, offset: int) -> None:
    assert difference(expected, got) == Difference(offset, len(expected), len(got))


def test_it_is_told_in_words() -> None:
    assert str(Difference(1_234, 5_000, 4_000)) == (
        "first difference at byte 1,234; expected 5,000 bytes, got 4,000"
    )
    outcome = Comparison("claim", Case("json", 1_000, 3), 8, Verdict.DIFFERENT)
    assert outcome.subject == "claim, json of 1,000 bytes, 8 at once"
