"""SQL taken apart: words, names, strings, bodies between dollar quotes, each with its place.

Comments fall away and strings stay whole, so that no rule finds a statement inside either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PIECE = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
    |(?P<comment>/\*)
    |(?P<string>[eE]'(?:[^'\\]|\\.|'')*'|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*')
    |(?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$)
    |(?P<name>"(?:[^"]|"")*"|`[^`]*`|\[[^\]\s']+\](?=\s*\())
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d[\w.]*)
    |(?P<sign>::|<>|<=|>=|!=|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: word (text in lower case), name (without its quotes), string, body, number, sign.
    Lines and columns from 1; `at` is the offset."""

    kind: str
    text: str
    at: int
    line: int
    column: int
    raw: str


def tokens(text: str, at: int = 0, line: int = 1, column: int = 1) -> list[Token]:
    """All tokens of a text that begins at the given place. Never raises: what is not closed
    ends with the text."""
    found: list[Token] = []
    position, start = 0, 0
    length = len(text)
    while position < length:
        match = _PIECE.match(text, position)
        if match is None:  # only an empty text matches nothing: `.` takes any character
            break
        kind, raw, end = match.lastgroup or "sign", match[0], match.end()
        if match["tag"] is not None:
            kind, end = "body", _end_of_body(text, end, raw)
        elif kind == "comment":
            end = _end_of_comment(text, position)
        if kind not in ("space", "comment"):
            line += text.count("\n", start, position)
            newline = text.rfind("\n", 0, position)
            where = position - newline if newline >= 0 else column + position
            start = position
            found.append(Token(kind, _text(kind, raw, text[position:end]), at + position, line,
                               where, text[position:end]))  # fmt: skip
        position = end
    return found


def _text(kind: str, raw: str, whole: str) -> str:
    if kind == "word":
        return raw.lower()
    if kind == "name":
        return raw[1:-1]
    return whole


def _end_of_body(text: str, begin: int, quote: str) -> int:
    end = text.find(quote, begin)
    return len(text) if end < 0 else end + len(quote)


def _end_of_comment(text: str, begin: int) -> int:
    """PostgreSQL's comments nest."""
    depth, position = 0, begin
    while True:
        opens, closes = text.find("/*", position), text.find("*/", position)
        if closes < 0:
            return len(text)
        if 0 <= opens < closes:
            depth, position = depth + 1, opens + 2
        else:
            depth, position = depth - 1, closes + 2
            if depth <= 0:
                return position


def body(token: Token) -> list[Token]:
    """The tokens between the dollar quotes of a body, at their places in the text."""
    quote = token.raw[: token.raw.index("$", 1) + 1]
    inner = token.raw[len(quote) :].removesuffix(quote)
    return tokens(inner, token.at + len(quote), token.line, token.column + len(quote))
