"""JSON as people write it into files: with comments, and commas behind the last value."""

from __future__ import annotations

import re

_TEXT = r'"(?:[^"\\\n]|\\.)*"'
_COMMENT = re.compile(rf"{_TEXT}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING = re.compile(rf"{_TEXT}|,(?=\s*[\]}}])")
_VISIBLE = re.compile(r"[^\s]")


def plain_json(text: str) -> str:
    """The same as JSON: blanks stand where comments and those commas stood, so that what is wrong
    with the rest is named by its own line and column."""
    return _TRAILING.sub(_blank, _COMMENT.sub(_blank, text))


def _blank(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else _VISIBLE.sub(" ", found[0])
