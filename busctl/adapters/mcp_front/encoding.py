"""Messages as JSON, long strings slice by slice: no second copy of a large answer is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mcp_types import JSONRPCMessage, JSONRPCResponse, jsonrpc_message_adapter
from pydantic_core import to_json

SLICE_CHARS = 1 << 18
"""Longer strings are encoded in slices of that many characters."""


def is_short(message: JSONRPCMessage) -> bool:
    """Whether it is encoded in one piece."""
    return not (isinstance(message, JSONRPCResponse) and _is_long(message.result))


def encoded(message: JSONRPCMessage) -> Iterator[bytes]:
    """The message as one line of JSON, in pieces."""
    if isinstance(message, JSONRPCResponse) and not is_short(message):
        yield b'{"jsonrpc":"2.0","id":' + to_json(message.id) + b',"result":'
        yield from _pieces(message.result)
        yield b"}\n"
        return
    yield jsonrpc_message_adapter.dump_json(message, by_alias=True, exclude_unset=True) + b"\n"


def _is_long(value: Any, depth: int = 4) -> bool:
    """Whether there is a long string in it, as far down as results of the protocol have them."""
    if isinstance(value, str):
        return len(value) > SLICE_CHARS
    if depth == 0 or not isinstance(value, dict | list):
        return False
    return any(_is_long(one, depth - 1) for one in _items(value))


def _items(value: dict[str, Any] | list[Any]) -> Iterator[Any]:
    yield from value.values() if isinstance(value, dict) else value


def _pieces(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        mark = b"{"
        for name, one in value.items():
            yield mark + to_json(name) + b":"
            yield from _pieces(one)
            mark = b","
        yield b"}" if value else b"{}"
    elif isinstance(value, list):
        mark = b"["
        for one in value:
            yield mark
            yield from _pieces(one)
            mark = b","
        yield b"]" if value else b"[]"
    elif isinstance(value, str) and len(value) > SLICE_CHARS:
        yield b'"'
        for at in range(0, len(value), SLICE_CHARS):
            yield to_json(value[at : at + SLICE_CHARS])[1:-1]
        yield b'"'
    else:
        yield to_json(value)
