"""Claims and previews: what travels in place of a payload."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.envelope import (
    PREVIEW_CHARS,
    Compression,
    Envelope,
    Labels,
    MessageType,
    preview_of,
)

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def envelope() -> Envelope:
    return Envelope(
        transaction_id=UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), created_at=NOW,
        expires_at=NOW + timedelta(hours=48), labels=Labels(content_type="text/plain"),
        payload_size_bytes=5, checksum=bytes(31) + b"\xab", compression=Compression.ZSTD,
        stored_size_bytes=4, stored_checksum=bytes(32), chunk_count=0, preview="hello",
    )  # fmt: skip


def test_a_claim_says_what_is_needed_to_redeem_and_verify() -> None:
    shape = envelope().claim().as_json()
    assert json.loads(json.dumps(shape)) == {
        "transaction_id": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "payload_size_bytes": 5,
        "checksum": "00" * 31 + "ab",
        "compression": "zstd",
        "expires_at": "2026-05-06T03:02:01+00:00",
        "message_type": "tool_response",
        "content_type": "text/plain",
        "preview": "hello",
    }


@given(st.binary(max_size=2_000))
def test_a_preview_of_any_bytes_is_storable_text(payload: bytes) -> None:
    preview = preview_of(payload, "text/plain; charset=utf-8")
    preview.encode()
    assert "\x00" not in preview
    assert len(preview) <= PREVIEW_CHARS


@given(st.text(min_size=250, max_size=400).filter(lambda text: "\x00" not in text))
def test_a_preview_is_the_beginning_of_the_text(text: str) -> None:
    assert preview_of(text.encode(), "application/json") == text[:PREVIEW_CHARS]


def test_a_preview_is_the_same_from_bytes_bytearray_and_memoryview() -> None:
    payload = "naïve ".encode() * 100
    expected = preview_of(payload, "text/plain")
    assert preview_of(bytearray(payload), "text/plain") == expected
    assert preview_of(memoryview(payload), "text/plain") == expected


@pytest.mark.parametrize("content_type", ["application/octet-stream", "image/png", ""])
def test_bytes_that_are_not_text_have_no_preview(content_type: str) -> None:
    assert preview_of(b"hello", content_type) == ""


def test_the_names_of_the_plan() -> None:
    assert [kind.value for kind in MessageType] == ["tool_response", "watcher_observation", "error"]
    assert [kind.value for kind in Compression] == ["none", "gzip", "zstd"]
