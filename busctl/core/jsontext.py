"""JSON that somebody else wrote."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def parse_json(text: str | bytes) -> Any:
    """As json.loads; whatever is no JSON is a ValueError, too: nesting so deep that the parser
    gives up, NaN and Infinity, bytes that are no text."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
