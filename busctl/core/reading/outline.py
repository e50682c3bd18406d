"""What a large answer is shown as in its place: how large it is, its shape, its head and tail.

An outline is for choosing what to read next. It says of itself that it is not the whole.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from busctl.core.content_type import MCP_RESULT, plain
from busctl.core.reading.blocks import STRUCTURED, Block, blocks_of, result_scan
from busctl.core.reading.excerpt import Edges, Excerpt
from busctl.core.reading.json_node import Node
from busctl.core.reading.json_scan import JsonScan
from busctl.core.reading.shape import shape_json, shape_text
from busctl.core.text import counted, printable, show_size
from busctl.core.watching.truncation import GATE_BYTES, begins_as_json

DEFAULT_ROOM = 2_000
"""Characters."""
STEP_BYTES = 1 << 20
_SHAPE_SHARE = 0.45
_HEAD_SHARE = 0.6
_LEAST_ROOM = 400
_LEAST_SHAPE = 100
_COLUMNS = 40
_WORDS = 150
"""Room for the title, and as much for what stands between head and tail."""
_WHOLE = "All of it:"
_DUMP_BYTES = 32
_CSV = {"text/csv": ",", "text/tab-separated-values": "\t"}


@dataclass(frozen=True, slots=True)
class Outline:
    """`form` is json, several_json (values one after another, as one a line), table, text, binary
    or blocks; `lines` counts the last one without an end, too. `root` is the scanned JSON, `text`
    what is shown, within the room."""

    size: int
    lines: int
    form: str
    content_type: str
    text: str
    root: Node | None = None
    columns: Sequence[str] = ()
    blocks: Sequence[Block] = ()

    def as_json(self) -> dict[str, Any]:
        """`{form, bytes, lines, shape?, columns?, blocks?}`."""
        known: dict[str, Any] = {"form": self.form, "bytes": self.size, "lines": self.lines}
        if self.root is not None and not self.blocks:
            known["shape"] = shape_json(self.root)
        if self.columns:
            known["columns"] = list(self.columns)
        if self.blocks:
            known["blocks"] = [block.as_json() for block in self.blocks]
        return known


class Outliner:
    """Fed with pieces in order. `add` takes about 10 ms for 1 MiB of JSON: in a thread, please."""

    def __init__(self, content_type: str, *, room: int = DEFAULT_ROOM) -> None:
        """`room`: characters of the outline's text, 400 at least."""
        self._type = plain(content_type)
        self._room = max(_LEAST_ROOM, room)
        self._edges = Edges(self._room)
        self._scan: JsonScan | None = None
        self._decided = False
        self._waiting = bytearray()

    def add(self, piece: bytes) -> None:
        self._edges.add(piece)
        if not self._decided:
            self._waiting += piece
            if len(self._waiting) < GATE_BYTES:
                return
            piece = self._decide()
        if self._scan is not None:
            for at in range(0, len(piece), STEP_BYTES):
                self._scan.add(piece[at : at + STEP_BYTES])

    def finish(self) -> Outline:
        """The outline, once everything has been added."""
        if not self._decided:
            piece = self._decide()
            if self._scan is not None:
                self._scan.add(piece)
        if not self._edges.is_text:
            return self._made("binary", [_dump(self._edges.head)])
        scan = self._scan
        root = scan.finish() if scan is not None and scan.broken_at is None else None
        if self._type == MCP_RESULT and root is not None and (blocks := blocks_of(root)):
            return self._blocks(root, blocks)
        if scan is not None and root is not None and root.members:
            return self._json(root, "several_json" if scan.several else "json")
        if self._type in _CSV:
            return self._table()
        return self._made("text", self._edge_lines(self._room))

    def _decide(self) -> bytes:
        """Whether it is scanned as JSON; what had waited for that."""
        self._decided = True
        piece = bytes(self._waiting)
        self._waiting.clear()
        declared = self._type.endswith(("/json", "+json", "/x-ndjson", "/jsonl"))
        if begins_as_json(piece, declared=declared):
            self._scan = result_scan() if self._type == MCP_RESULT else JsonScan()
        return piece

    def _json(self, root: Node, form: str) -> Outline:
        title = "Shape of the first value:" if form == "several_json" else "Shape:"
        shape = [title, shape_text(root, int(self._room * _SHAPE_SHARE))]
        return self._made(form, [*shape, *self._edge_lines(self._room - _length(shape))], root=root)

    def _table(self) -> Outline:
        first = self._edges.head.partition(b"\n")[0].decode("utf-8", "replace").lstrip("\ufeff")
        columns = next(iter(csv.reader([first.strip("\r")], delimiter=_CSV[self._type])), [])
        shown = ", ".join(printable(name)[:_COLUMNS] for name in columns[:_COLUMNS])
        told = [f"{counted(len(columns), 'column')}: {shown}"[: int(self._room * _SHAPE_SHARE)]]
        edges = self._edge_lines(self._room - _length(told))
        return self._made("table", [*told, *edges], columns=tuple(columns))

    def _blocks(self, root: Node, blocks: Sequence[Block]) -> Outline:
        structured = root.get(STRUCTURED)
        kept = int(self._room * _SHAPE_SHARE) if structured is not None else 0
        left = self._room - _WORDS - kept
        each = left // len(blocks) - 1
        lines: list[str] = []
        for block in blocks:
            line = _block_line(block, each)
            left -= len(line) + 1
            if left < 0:
                lines.append(f"… {len(blocks) - len(lines):,} more")
                break
            lines.append(line)
        left = max(left, 0) + kept
        if structured is not None and left > _LEAST_SHAPE:
            title = f"Shape of {STRUCTURED}:"
            lines += [title, shape_text(structured, left - len(title) - 2)]
        return self._made("blocks", lines, root=root, blocks=tuple(blocks))

    def _edge_lines(self, room: int) -> list[str]:
        room = max(0, room - 2 * _WORDS)
        head = int(room * _HEAD_SHARE)
        return list(_excerpt_lines(self._edges.excerpt(head, room - head), self._edges.size))

    def _made(
        self, form: str, lines: Sequence[str], *, root: Node | None = None,
        columns: Sequence[str] = (), blocks: Sequence[Block] = (),
    ) -> Outline:  # fmt: skip
        edges = self._edges
        told = [f"{edges.size:,} bytes", printable(self._type)[: _COLUMNS * 2] or "type not said"]
        if form not in ("binary", "blocks"):
            told.append(counted(edges.lines, "line"))
        if blocks:
            told.append(counted(len(blocks), "block"))
        whole = "" if _WHOLE in lines else " This is an outline, not the whole:"
        text = "\n".join([f"{', '.join(told)}.{whole}", *lines])
        return Outline(edges.size, edges.lines, form, self._type, text, root, columns, blocks)


def outline_of(payload: bytes, content_type: str, *, room: int = DEFAULT_ROOM) -> Outline:
    """The outline of bytes at hand; large ones in a thread, please."""
    outliner = Outliner(content_type, room=room)
    view = memoryview(payload)
    for at in range(0, len(view), STEP_BYTES):
        outliner.add(bytes(view[at : at + STEP_BYTES]))
    return outliner.finish()


def _excerpt_lines(excerpt: Excerpt, size: int) -> Iterator[str]:
    note = " (U+FFFD stands for bytes that are no UTF-8)" if excerpt.replaced else ""
    if excerpt.whole:
        yield _WHOLE
        yield excerpt.head
        return
    yield f"Head, bytes 0 to {excerpt.head_stop:,}{note}:"
    yield excerpt.head.removesuffix("\n")
    between = excerpt.tail_start - excerpt.head_stop
    lines = f" with {counted(excerpt.lines_between, 'line end')}" if excerpt.lines_between else ""
    yield f"[… {between:,} bytes{lines} left out …]"
    if excerpt.tail:
        yield f"Tail, bytes {excerpt.tail_start:,} to {size:,}:"
        yield excerpt.tail.removesuffix("\n")


def _block_line(block: Block, room: int) -> str:
    told = [f"[{block.index}] {printable(block.kind)}", printable(block.mime_type)]
    told.append(printable(block.uri)[: _COLUMNS * 2])
    if block.stop:
        told.append(f"about {show_size(block.size)}")
    line = ", ".join(part for part in told if part)
    return f"{line}: {printable(block.sample)}"[: max(room, len(line))] if block.sample else line


def _dump(head: bytes) -> str:
    return f"Binary. First {min(len(head), _DUMP_BYTES)} bytes: {head[:_DUMP_BYTES].hex(' ')}"


def _length(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)
