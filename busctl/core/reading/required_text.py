"""A text that every match of a regular expression must have in it, where that is plain to see.

Only what stands at the top level of the expression is looked at, and anything unusual ends the
looking: no text is always a right answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CLASSES = frozenset("dDwWsSbB")
_CLASS = re.compile(r"\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_REPEATED = re.compile(r"\{\d*(?:,\d*)?\}")
_PLAIN_GROUP = re.compile(r"\((?!\?)|\(\?:")
_RARE = frozenset("@#~^|<>&%$!;`+*?\\{}[]()QXZJ")


class _Unclear(Exception):  # it ends the looking, nothing more
    """The expression has something that is not read here."""


def required_text(pattern: str) -> str:
    """The longest such text, or a single rare letter; "" for none."""
    try:
        runs = list(_runs(pattern))
    except _Unclear:
        return ""
    return max(runs, key=lambda run: len(run) + 2 * any(one in _RARE for one in run), default="")


def _runs(pattern: str) -> Iterator[str]:
    run, at = "", 0
    while at < len(pattern):
        end, letter = _part(pattern, at)
        quantified = _quantifier(pattern, end)
        if letter is None or quantified is not None:
            yield run
            run = letter if letter is not None and quantified == "+" else ""
            if run:
                yield run
                run = ""
        else:
            run += letter
        at = end + (0 if quantified is None else len(quantified))
    yield run


def _part(pattern: str, at: int) -> tuple[int, str | None]:
    """Where the part that begins there ends, and the letter it is; None for what is no letter."""
    letter = pattern[at]
    if letter == "\\":
        following = pattern[at + 1 : at + 2]
        if following in _CLASSES:
            return at + 2, None
        if not following or following.isalnum() or not following.isascii():
            raise _Unclear
        return at + 2, following
    if letter == "[":
        return _behind(_CLASS, pattern, at), None
    if letter == "(":
        return _group(pattern, at), None
    if letter in "|)*+?{\n":
        raise _Unclear
    return at + 1, None if letter in ".^$" else letter


def _group(pattern: str, at: int) -> int:
    """Behind the group that begins there."""
    at = _behind(_PLAIN_GROUP, pattern, at)
    depth = 1
    while depth:
        letter = pattern[at : at + 1]
        if letter == "(":
            at = _behind(_PLAIN_GROUP, pattern, at)
            depth += 1
        elif letter == "[":
            at = _behind(_CLASS, pattern, at)
        elif letter == "\\" and pattern[at + 1 : at + 2] not in ("", "Q"):
            at += 2
        elif letter in ("", "\\"):
            raise _Unclear
        else:
            depth -= letter == ")"
            at += 1
    return at


def _quantifier(pattern: str, at: int) -> str | None:
    """The quantifier that stands there, lazy or not; "+" for one that asks for at least one."""
    letter = pattern[at : at + 1]
    if letter == "+":
        if pattern[at + 1 : at + 2] in ("?", "+"):
            raise _Unclear
        return "+"
    if letter and letter in "*?":
        lazy = pattern[at + 1 : at + 2] == "?"
        return letter + "?" * lazy
    if letter == "{":
        found = _REPEATED.match(pattern, at)
        if found is None:
            raise _Unclear
        lazy = pattern[found.end() : found.end() + 1] == "?"
        return found[0] + "?" * lazy
    return None


def _behind(what: re.Pattern[str], pattern: str, at: int) -> int:
    found = what.match(pattern, at)
    if found is None:
        raise _Unclear
    return found.end()
