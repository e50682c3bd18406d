"""What a label or metadata may hold: text that PostgreSQL and JSON can store."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from busctl.core.envelope import Labels
from busctl.core.errors import InvalidLabel

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape of a NUL in JSON text, not a backslash of its own followed by "u0000"."""

TEXTS = ("content_type", "tool_name", "session_id", "request_id", "owner")
MAX_LABEL_CHARS = 256
"""As long as the dialect's own ids: labels are for finding and showing, not for carrying."""
MAX_METADATA_BYTES = 64 * 1024  # busctl: allow[CF004] every reader counts on this bound


def checked(labels: Labels) -> Labels:
    """The same labels. Raises InvalidLabel."""
    for name in TEXTS:
        _check_text(name, getattr(labels, name))
    if labels.metadata:
        _check_metadata(labels.metadata)
    return labels


def as_text(payload: str, labels: Labels) -> tuple[bytes, Labels]:
    """A text payload as its UTF-8 bytes, labelled as text unless it says what it is."""
    try:
        raw = payload.encode()
    except UnicodeEncodeError as error:
        raise InvalidLabel(
            "The text holds a lone surrogate, which has no UTF-8 form.",
            remedy="Encode it yourself and put the bytes.",
        ) from error
    if labels.content_type == Labels().content_type:
        labels = replace(labels, content_type="text/plain; charset=utf-8")
    return raw, labels


def _check_text(name: str, value: str | None) -> None:
    if value is None:
        return
    if not value or len(value) > MAX_LABEL_CHARS:
        raise InvalidLabel(
            f"{name} has {len(value):,} characters; 1 to {MAX_LABEL_CHARS} are taken."
        )
    if value.isascii() and "\x00" not in value:
        return
    if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InvalidLabel(f"{name} {value!r} holds a NUL or a lone surrogate.")


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    try:
        text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidLabel(f"metadata is not JSON that can be stored: {error}.") from error
    if len(text) > MAX_METADATA_BYTES:
        raise InvalidLabel(f"metadata has over {MAX_METADATA_BYTES:,} bytes.")
    if _NUL.search(text):
        raise InvalidLabel("metadata holds a NUL, which PostgreSQL's jsonb refuses.")
