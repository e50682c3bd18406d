"""Messages of the gateway as JSON: in slices, the same as in one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp_types import JSONRPCNotification, JSONRPCResponse

from busctl.adapters.mcp_front.encoding import SLICE_CHARS, encoded

LONG = ('a "quoted" line,\n\tß€ \U0001f600 \u2028\x00' * SLICE_CHARS)[: 3 * SLICE_CHARS + 7]


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"content": [{"type": "text", "text": "short"}], "isError": False},
        {"content": [{"type": "text", "text": LONG}], "_meta": {"a": None, "b": [1, 2.5, True]}},
        {"contents": [{"uri": "bus://x", "blob": "A" * (2 * SLICE_CHARS)}, {}, []], "ttlMs": 0},
    ],
)
def test_a_response_is_one_line_of_the_same_json(result: dict[str, Any]) -> None:
    message = JSONRPCResponse(jsonrpc="2.0", id="é", result=result)
    pieces = list(encoded(message))
    line = b"".join(pieces)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"jsonrpc": "2.0", "id": "é", "result": result}
    assert max(map(len, pieces)) < 8 * SLICE_CHARS


def test_other_messages_are_one_piece() -> None:
    message = JSONRPCNotification(jsonrpc="2.0", method="notifications/x", params={"words": LONG})
    (line,) = encoded(message)
    assert json.loads(line)["params"] == {"words": LONG}
