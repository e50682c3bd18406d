"""How an answer travels: whole in its frame, or as a claim check."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import Enum
from typing import Any

from busctl.core.content_type import MCP_RESULT, is_text, plain
from busctl.core.errors import PayloadTooLarge
from busctl.core.mcp.result import outputs_of


class Route(Enum):
    INLINE = "inline"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class Reader:
    """What one client takes: claim checks or not, and how many bytes in one frame. `as_blocks`: it
    knows no content types, and is told a result of several blocks as several outputs."""

    accepts_claims: bool
    max_message_bytes: int
    as_blocks: bool = False


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


def outputs(payload: bytes, content_type: str, *, as_blocks: bool = False) -> list[dict[str, Any]]:
    """The payload as the dialect's `outputs`: text when it is text in UTF-8, base64 otherwise.

    `as_blocks` tells a kept result of the Model Context Protocol by its blocks, for clients that
    know no content types; otherwise it is one text, whose bytes are those the checksum is of.
    """
    if as_blocks and plain(content_type) == MCP_RESULT:
        blocks = outputs_of(payload)
        if blocks is not None:
            return blocks
    text = _text(payload) if is_text(content_type) else None
    if text is not None:
        return [{"type": "text", "text": text}]
    return [{"type": "blob", "data": base64.b64encode(payload).decode("ascii")}]


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:  # it is not what its type says: the bytes travel as they are
        return None
