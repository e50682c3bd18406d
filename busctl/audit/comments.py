"""The lines of a text and the comments on them."""

from __future__ import annotations

import io
import tokenize


def lines_of(text: str) -> list[str]:
    """The lines as Python counts them: form feeds and the like end none."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def tokenized(text: str) -> dict[int, str]:
    """Comments by Python's own tokenizer: exact, and 20 times as long as parsing."""
    found: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.string
    except (tokenize.TokenError, SyntaxError, IndentationError):
        # Syntax newer than this Python's tokenizer: the comments up to there are kept.
        return found
    return found


def outside(lines: list[str], texts: dict[int, list[tuple[int, int]]]) -> dict[int, str]:
    """What follows the first `#` of each line that lies in no string literal."""
    found: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        if "#" not in line:
            continue
        literals = texts.get(number)
        if literals is None:
            found[number] = line[line.index("#") :].rstrip()
            continue
        held = line.encode()
        at = held.find(b"#")
        while at >= 0 and (ends := [end for start, end in literals if start <= at < end]):
            at = held.find(b"#", max(ends))
        if at >= 0:
            found[number] = held[at:].decode().rstrip()
    return found
