"""What fixing would change, as a patch that `git apply` and `patch -p1` take."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from busctl.audit.fixing import Mended

CONTEXT = 3


def unified_diff(mended: Mended) -> str:
    """The patch of one file; "" if nothing changed. Lines end at \\n alone, as git counts them."""
    if not mended.changed:
        return ""
    before, after = _lines(_text(mended, mended.before)), _lines(_text(mended, mended.after))
    name = mended.path
    tab = "\t" if " " in name else ""  # by which patch knows where a name with spaces ends
    parts = [f"--- a/{name}{tab}\n", f"+++ b/{name}{tab}\n"]
    for group in SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        parts.append(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n")
        for what, start, end, new_start, new_end in group:
            if what == "equal":
                parts += _marked(" ", before[start:end])
            else:
                parts += _marked("-", before[start:end])
                parts += _marked("+", after[new_start:new_end])
    return "".join(parts)


def _text(mended: Mended, data: bytes) -> str:
    """The byte order mark stays in the text: it is part of the first line."""
    return data.decode("utf-8" if mended.encoding == "utf-8-sig" else mended.encoding)


def _lines(text: str) -> list[str]:
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line
        if not line.endswith("\n"):
            yield "\n\\ No newline at end of file\n"


def _range(start: int, end: int) -> str:
    """As diff writes it: from 1, the length left out when it is 1, the line before when empty."""
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"
