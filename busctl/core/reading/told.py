"""What was read or found in a message: as text for models and people, as JSON for programs."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

from busctl.core.reading.json_paths import ValuesFound
from busctl.core.reading.part import Part
from busctl.core.reading.search import Found
from busctl.core.reading.search_lines import Line
from busctl.core.text import counted, text_of


def part_text(part: Part) -> tuple[str, str]:
    """What is said of a part, and the part itself: its text, or base64."""
    of = "" if part.size is None else f" of {part.size:,}"
    where = "" if part.block is None else f" of block {part.block}"
    told = [f"Bytes {part.start:,} to {part.stop:,}{of}{where} of message {part.transaction_id}"]
    if part.lines is not None:
        told.append(f"lines {part.lines[0]:,} to {part.lines[1]:,}")
    text = part.text
    if text is None:
        told.append("in base64, for they are no text")
    follows = "; this is the end." if part.next_offset is None else (
        f"; go on with offset {part.next_offset}."
    )  # fmt: skip
    return ", ".join(told) + follows, base64.b64encode(part.raw).decode() if text is None else text


def search_text(transaction_id: UUID, found: Found) -> str:
    """As grep prints it: `LINE @BYTE: text` for a match, `LINE @BYTE- text` around it."""
    if not found.matches and not found.more:
        return f"No match in message {transaction_id}."
    told = counted(found.matches, "match").replace("matchs", "matches")
    lines = [f"{told} in message {transaction_id}; LINE @BYTE: text."]
    lines += [_line_text(line) for line in found.lines]
    if found.more:
        lines.append(f"There is more: go on with offset {found.next_offset}.")
    return "\n".join(lines)


def search_json(transaction_id: UUID, found: Found) -> dict[str, Any]:
    """`{transaction_id, matches, lines: [{line, offset, text, cut, matches: [[offset, length]]}],
    more, next_offset}`; bytes that are no UTF-8 are U+FFFD in `text`."""
    return {
        "transaction_id": str(transaction_id), "matches": found.matches,
        "lines": [
            {
                "line": line.number, "offset": line.offset, "text": text_of(line.raw),
                "cut": line.cut, "matches": [list(match) for match in line.matches],
            }
            for line in found.lines
        ],
        "more": found.more, "next_offset": found.next_offset,
    }  # fmt: skip


def values_text(transaction_id: UUID, found: ValuesFound) -> str:
    """`PATH = JSON`, one a line."""
    if not found.values:
        return f"The path selects nothing in message {transaction_id}."
    lines = [f"{counted(len(found.values), 'value')} of message {transaction_id}."]
    for value in found.values:
        where = "" if value.line is None else f"line {value.line}: "
        cut = f"… ({value.size:,} bytes)" if value.cut else ""
        lines.append(f"{where}{value.path} = {value.json}{cut}")
    if found.more:
        lines.append("There is more: ask a narrower path.")
    return "\n".join(lines)


def values_json(transaction_id: UUID, found: ValuesFound) -> dict[str, Any]:
    """`{transaction_id, values: [{path, json, size, cut, line}], more}`; `json` is the beginning of
    a value that was cut, and so no JSON."""
    return {
        "transaction_id": str(transaction_id),
        "values": [
            {"path": one.path, "json": one.json, "size": one.size, "cut": one.cut,
             "line": one.line}
            for one in found.values
        ],
        "more": found.more,
    }  # fmt: skip


def _line_text(line: Line) -> str:
    mark = ":" if line.matches else "-"
    at = line.matches[0][0] if line.matches else line.offset
    shown = text_of(line.raw).replace("\r", "")
    return f"{line.number} @{at}{mark} {shown}{' …' if line.cut else ''}"
