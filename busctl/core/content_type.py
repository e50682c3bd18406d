"""What a content type says of the bytes under it."""

from __future__ import annotations

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
JSON = "application/json"
MCP_RESULT = "application/vnd.busctl.mcp-result+json"
"""A whole result of `tools/call` of the Model Context Protocol, as JSON: what is more than one
text."""


def plain(content_type: str) -> str:
    """The type without its parameters, in small letters."""
    return content_type.partition(";")[0].strip().lower()


def is_text(content_type: str) -> bool:
    """Whether the type promises text: text/*, application/json and types ending in +json."""
    kind = plain(content_type)
    return kind.startswith("text/") or is_json(kind)


def is_json(content_type: str) -> bool:
    """Whether the type promises JSON: application/json and types ending in +json."""
    kind = plain(content_type)
    return kind == JSON or kind.endswith("+json")
