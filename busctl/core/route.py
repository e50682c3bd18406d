"""How an answer travels: whole in its frame, or as a claim check."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import Enum
from typing import Any

from busctl.core.errors import PayloadTooLarge


class Route(Enum):
    INLINE = "inline"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class Reader:
    """What one client takes: claim checks or not, and how many bytes in one frame."""

    accepts_claims: bool
    max_message_bytes: int


def route(size_bytes: int, reader: Reader, inline_max_bytes: int) -> Route:
    """The way for a payload of that size.

    Raises PayloadTooLarge when the client takes neither claims nor frames that long.
    """
    if reader.accepts_claims and (
        size_bytes > inline_max_bytes or size_bytes > reader.max_message_bytes
    ):
        return Route.CLAIM
    if size_bytes > reader.max_message_bytes:
        raise too_large(size_bytes, reader)
    return Route.INLINE


def route_encoded(frame_bytes: int, reader: Reader) -> Route:
    """The way once the frame is encoded, which is longer than its payload. Raises as `route`."""
    if frame_bytes <= reader.max_message_bytes:
        return Route.INLINE
    if reader.accepts_claims:
        return Route.CLAIM
    raise too_large(frame_bytes, reader)


def too_large(size_bytes: int, reader: Reader) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"The answer needs a frame of {size_bytes:,} bytes or more; this client takes "
        f"{reader.max_message_bytes:,}. The answer is stored.",
        remedy='Say `accepts: ["claim"]`, or redeem it by its id over HTTP or with `busctl get`.',
    )


def outputs(payload: bytes, content_type: str) -> list[dict[str, Any]]:
    """The payload as the dialect's `outputs`: text when it is text in UTF-8, base64 otherwise."""
    text = _text(payload) if is_text(content_type) else None
    if text is not None:
        return [{"type": "text", "text": text}]
    return [{"type": "blob", "data": base64.b64encode(payload).decode("ascii")}]


def is_text(content_type: str) -> bool:
    """Whether the type promises text: text/*, application/json and types ending in +json."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind == "application/json" or kind.endswith("+json")


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:  # it is not what its type says: the bytes travel as they are
        return None
