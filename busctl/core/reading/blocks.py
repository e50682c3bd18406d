"""The content blocks of a result of the Model Context Protocol, found without unpacking them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from busctl.core.reading.json_node import Kind, Node, unquoted
from busctl.core.reading.json_scan import JsonScan

STRUCTURED = "structuredContent"
MOST_BLOCKS = 200
_DEPTH = 5
_MEMBERS = 24
_SAMPLE_CHARS = 120


@dataclass(frozen=True, slots=True)
class Block:
    """One block: `kind` is its type (text, image, audio, resource, resource_link, or
    structuredContent), [start, stop) are the bytes in the payload of what it carries: a JSON
    string between its quotes, base64 in it when `encoded`, or any JSON for structured content.
    `sample` is the beginning of a text."""

    index: int
    kind: str
    mime_type: str
    start: int
    stop: int
    encoded: bool
    uri: str = ""
    sample: str = ""

    @property
    def is_string(self) -> bool:
        """Whether its bytes are those of a JSON string, to be read before use."""
        return self.kind != STRUCTURED

    @property
    def size(self) -> int:
        """Bytes of what it carries: as they stand in the payload, for base64 about those that it
        stands for."""
        stands = self.stop - self.start
        return stands * 3 // 4 if self.encoded else stands

    def as_json(self) -> dict[str, Any]:
        """`{index, type, mime_type?, uri?, about_bytes}`."""
        shape: dict[str, Any] = {"index": self.index, "type": self.kind}
        if self.mime_type:
            shape["mime_type"] = self.mime_type
        if self.uri:
            shape["uri"] = self.uri
        return {**shape, "about_bytes": self.size}


def result_scan() -> JsonScan:
    """A scan that keeps enough of a result for `blocks_of`, and as much of its structured content
    as of any JSON."""
    return JsonScan(
        depth=_DEPTH, members=_MEMBERS, nodes=MOST_BLOCKS * _MEMBERS, outer_items=MOST_BLOCKS
    )


def blocks_of(root: Node | None) -> Sequence[Block]:
    """The first 200 blocks of a scanned result, structured content behind them."""
    if root is None:
        return ()
    content = root.get("content")
    nodes = [node for _, node in content.members] if content is not None else []
    found = [_block(at, node) for at, node in enumerate(nodes)]
    structured = root.get(STRUCTURED)
    if structured is not None and structured.kind is Kind.OBJECT:
        index = content.count if content is not None else 0
        stop = structured.start + structured.size
        found.append(
            Block(index, STRUCTURED, "application/json", structured.start, stop, encoded=False)
        )
    return found


def _block(index: int, node: Node) -> Block:
    held = node.get("resource") or node
    encoded = held.get("text") is None
    carried = held.get("text") or held.get("data") or held.get("blob")
    start = carried.start + 1 if carried is not None else 0
    stop = max(start, carried.start + carried.size - 1) if carried is not None else 0
    sample = "" if encoded or carried is None else unquoted(carried.sample)[:_SAMPLE_CHARS]
    return Block(
        index, _text(node, "type") or "block", _text(held, "mimeType"), start, stop,
        encoded and carried is not None, _text(held, "uri"), sample,
    )  # fmt: skip


def _text(node: Node, key: str) -> str:
    found = node.get(key)
    return (found.text or "") if found is not None else ""
