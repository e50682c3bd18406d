"""Metadata of answers: always such that it can be stored."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.envelope import Labels
from busctl.core.errors import InvalidLabel
from busctl.core.labels import checked, shortened

LEFT = {"turn": 1234, "why": "no room in the model's context"}


def test_what_has_room_is_as_it_was() -> None:
    metadata = {"files": [{"name": "a"}], "conversation": {"left_out": [LEFT] * 1000}}
    assert shortened(metadata) is metadata


@given(st.integers(0, 200), st.integers(0, 4000), st.integers(0, 5000))
def test_lists_without_room_end_early_and_say_so(files: int, length: int, turns: int) -> None:
    metadata: dict[str, Any] = {
        "files": [{"path": f"/{'ü' * length}/{number}"} for number in range(files)],
        "conversation": {"id": "talk", "left_out": [LEFT] * turns},
        "chat": {"provider": "kimi"},
    }
    made = shortened(metadata)
    assert checked(Labels(metadata=made)).metadata == made
    told = made["conversation"]
    kept = made["files"]
    assert kept == metadata["files"][: len(kept)]
    assert len(kept) + made.get("files_more", 0) == files
    assert len(told["left_out"]) + told.get("left_out_more", 0) == turns
    assert made["chat"] == metadata["chat"]


def test_what_no_list_makes_too_large_is_refused_as_before() -> None:
    for wrong in ({"text": "x" * 70_000}, {"text": float("nan")}, {"text": b""}):
        with pytest.raises(InvalidLabel):
            checked(Labels(metadata=shortened(wrong)))
