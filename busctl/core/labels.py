"""What a label or metadata may hold: text that PostgreSQL and JSON can store."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from busctl.core.envelope import Labels
from busctl.core.errors import InvalidLabel

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape of a NUL in JSON text, not a backslash of its own followed by "u0000"."""

TEXTS = ("content_type", "tool_name", "session_id", "request_id", "owner")
MAX_LABEL_CHARS = 256
"""As long as the dialect's own ids: labels are for finding and showing, not for carrying."""
MAX_METADATA_BYTES = 64 * 1024  # busctl: allow[CF004] every reader counts on this bound
_MOST_OF_ANSWER = MAX_METADATA_BYTES - 1024
"""With room for the counts that `shortened` adds."""


def checked(labels: Labels) -> Labels:
    """The same labels. Raises InvalidLabel."""
    for name in TEXTS:
        _check_text(name, getattr(labels, name))
    if labels.metadata:
        _check_metadata(labels.metadata)
    return labels


def shortened(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Metadata that can be stored: an answer is not to be lost for what is said about it. Where it
    is too much, its longest lists end early, and NAME_more says how many of each are missing."""
    try:
        over = _size(metadata) - _MOST_OF_ANSWER
        if over <= 0:
            return metadata
        made: dict[str, Any] = json.loads(json.dumps(metadata))
    except (TypeError, ValueError, RecursionError):
        return metadata  # what is wrong with it `checked` says
    lists = [
        _Listed(holder, name, _size(value))
        for holder in (made, *(each for each in made.values() if isinstance(each, dict)))
        for name, value in holder.items()
        if isinstance(value, list) and value
    ]
    while over > 0 and lists:
        longest = max(lists, key=lambda one: one.size)
        over -= longest.cut()
        if not longest.holder[longest.name]:
            lists.remove(longest)
    return made


@dataclass(slots=True, eq=False)
class _Listed:
    """A list in metadata, and how much of it there is."""

    holder: dict[str, Any]
    name: str
    size: int

    def cut(self) -> int:
        """Let the last one go, and count it."""
        gone = _size(self.holder[self.name].pop()) + len(", ")
        more = f"{self.name}_more"
        self.holder[more] = self.holder.get(more, 0) + 1
        self.size -= gone
        return gone


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False))


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
