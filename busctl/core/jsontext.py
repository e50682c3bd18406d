"""JSON that somebody else wrote."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn


def parse_json(text: str | bytes) -> Any:
    """As json.loads; whatever is no JSON is a ValueError, too: nesting so deep that the parser
    gives up, whole numbers too long to be read, NaN and Infinity, bytes that are no text."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        if "sys.set_int_max_str_digits" not in str(error):
            raise
        # Python's own words tell the program's author what to do.
        most = sys.get_int_max_str_digits()
        raise ValueError(f"a whole number has more than {most:,} digits") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
