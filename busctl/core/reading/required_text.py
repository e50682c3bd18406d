"""Texts of which every match of a regular expression has one in it, where that is plain to see.

Anything unusual ends the looking: no text is always a right answer.
"""

from __future__ import annotations

import re

_CLASSES = frozenset("dDwWsSbB")
_CLASS = re.compile(r"\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_REPEATED = re.compile(r"\{\d*(?:,\d*)?\}")
_PLAIN_GROUP = re.compile(r"\((?!\?)|\(\?:")
_RARE = frozenset("@#~^|<>&%$!;`+*?\\{}[]()QXZJ")
MOST_TEXTS = 6
"""Each is looked for by itself: more of them take longer than the expression does."""

Texts = tuple[str, ...]
"""One of them is there; () where none need be."""


class _Unclear(Exception):  # it ends the looking, nothing more
    """The expression has something that is not read here."""


def required_texts(pattern: str) -> Texts:
    """The text, or the few texts, by which a match is found fastest."""
    try:
        return _Reading(pattern).alternatives(depth=0)
    except _Unclear:
        return ()


class _Reading:
    """Goes over an expression once."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def alternatives(self, depth: int) -> Texts:
        """One or several parts between bars, up to the end or the bracket that closes them."""
        parts = [self._sequence()]
        while self._next() == "|":
            self._at += 1
            parts.append(self._sequence())
        if (self._next() == ")") != (depth > 0):
            raise _Unclear
        texts = tuple(dict.fromkeys(text for part in parts for text in part))
        return texts if all(parts) and len(texts) <= MOST_TEXTS else ()

    def _sequence(self) -> Texts:
        """What stands one behind the other, up to a bar, a bracket or the end."""
        runs: list[Texts] = []
        run = ""
        while self._next() not in ("", "|", ")"):
            part = self._part()
            quantified = self._quantifier()
            if isinstance(part, str) and quantified is None:
                run += part
                continue
            runs.append((run,) * bool(run))
            run = ""
            if quantified in (None, "+"):
                runs.append((part,) if isinstance(part, str) else part)
        runs.append((run,) * bool(run))
        return max(runs, key=_worth)

    def _part(self) -> str | Texts:
        """The next part: the letter that it is, or the texts of a group; () for what is neither."""
        letter = self._next()
        if letter == "\\":
            return self._escaped()
        if letter == "[":
            self._pass(_CLASS)
            return ()
        if letter == "(":
            self._pass(_PLAIN_GROUP)
            texts = self.alternatives(depth=1)
            self._at += 1
            return texts
        if letter in "*+?{\n":
            raise _Unclear
        self._at += 1
        return () if letter in ".^$" else letter

    def _escaped(self) -> str | Texts:
        following = self._pattern[self._at + 1 : self._at + 2]
        self._at += 2
        if following in _CLASSES:
            return ()
        if not following or following.isalnum() or not following.isascii():
            raise _Unclear
        return following

    def _quantifier(self) -> str | None:
        """What stands behind a part, lazy or not; "+" for one that asks for at least one."""
        letter = self._next()
        if letter == "{":
            self._pass(_REPEATED)
        elif letter and letter in "*?+":
            self._at += 1
        else:
            return None
        if self._next() == "?":
            self._at += 1
        if letter == "+" and self._next() == "+":
            raise _Unclear
        return letter

    def _next(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _pass(self, what: re.Pattern[str]) -> None:
        found = what.match(self._pattern, self._at)
        if found is None:
            raise _Unclear
        self._at = found.end()


def _worth(texts: Texts) -> int:
    """Long texts are found fast, rare letters too, and few texts faster than many."""
    if not texts:
        return 0
    return min(len(text) + 2 * bool(_RARE & {*text}) for text in texts) - len(texts) + 1
