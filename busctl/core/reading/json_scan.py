"""The tree of a JSON text to a bounded depth and width, from its pieces, in bounded memory.

One pass. What lies deeper, or behind the first members, is counted and not kept (measured: 100 to
250 MB/s on tool JSON). It tells what a text looks like, not whether it is valid: only what is kept
is looked at closely.
"""

from __future__ import annotations

import re

from busctl.core.reading.json_node import Kind, Node, unquoted
from busctl.core.reading.json_stretch import Stretch, stretch_of

SAMPLE_BYTES = 256
"""So much of each kept string or key is remembered."""
_LITERAL_BYTES = 400
_OUTER = 2
"""How deep what is directly in the root lies."""
_WINDOWS = (64 * 1024, 8 * 1024, 1024)
"""Counted at a time, the largest first in which the container does not end."""

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SLOT = re.compile(rb'(?:[^"{}\[\],]++|' + _STRING + rb")*+", re.DOTALL)
_DEEP = re.compile(rb'(?:[^"{}\[\]]++|' + _STRING + rb")*+", re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*+")
_LITERAL = re.compile(rb"[-+.0-9A-Za-z]++")
_NUMBER = re.compile(rb"-?\d++(?:\.\d++)?(?:[eE][-+]?\d++)?")
_QUOTE = ord('"')
_BOM = b"\xef\xbb\xbf"


_CONTAINERS = {ord("{"): Kind.OBJECT, ord("["): Kind.ARRAY}
_CLOSERS = {ord("}"): Kind.OBJECT, ord("]"): Kind.ARRAY}
_WORDS = {
    b"true": Kind.BOOLEAN, b"false": Kind.BOOLEAN, b"null": Kind.NULL,
    # No JSON, but what Python and others write for it.
    b"NaN": Kind.NUMBER, b"Infinity": Kind.NUMBER, b"-Infinity": Kind.NUMBER,
}  # fmt: skip


class JsonScan:
    """Fed with pieces; `root` is the tree. Keeps containers down to `depth`, the first `members` of
    an object and `items` of an array (of one directly in the root `outer_items`), and `nodes` in
    all."""

    def __init__(
        self, *, depth: int = 4, members: int = 24, items: int = 3, nodes: int = 600,
        outer_items: int | None = None,
    ) -> None:  # fmt: skip
        self.root: Node | None = None
        self.several = False
        """Something follows the first value: further values, one a line or not."""
        self.broken_at: int | None = None
        """The byte from which on it is no JSON, as far as that was seen."""
        self._depth, self._members, self._items, self._nodes = depth, members, items, nodes
        self._outer_items = items if outer_items is None else outer_items
        self._stack: list[Node] = []
        self._counting: list[bool] = []
        self._deep = 0
        self._slow_to = 0
        self._filled = False
        self._key: str | None = None
        self._string: Node | None = None
        self._is_key = False
        self._held = b""
        self._at = 0

    @property
    def done(self) -> bool:
        """Nothing more is looked at."""
        return self.several or self.broken_at is not None

    @property
    def whole(self) -> bool:
        """The first value has ended."""
        return self.root is not None and self.root.stop is not None

    def add(self, piece: bytes) -> None:
        """Look at the next piece: about 1 MiB at a time, the interpreter's lock is held."""
        if self.done:
            return
        buffer = self._held + piece
        self._held = b""
        at = len(_BOM) if self._at == 0 and buffer.startswith(_BOM) else 0
        while at < len(buffer) and not self.done:
            end = self._step(buffer, at)
            if end == at:
                self._held = buffer[at:]
                break
            at = end
        self._at += at

    def finish(self) -> Node | None:
        """The tree, once everything has been added; a value cut by the end stays open."""
        if self._held and self.root is None and not self.done:
            self.add(b" ")
        return self.root

    # --- one step: from `at` to where the next one begins; `at` itself to wait for more ---------

    def _step(self, buffer: bytes, at: int) -> int:
        if self._string is not None:
            return self._in_string(buffer, at, self._string)
        if self._stack and self._counting[-1]:
            jumped = self._jump(buffer, at, self._stack[-1])
            if jumped > at:
                return jumped
            return self._in_deep(buffer, at) if self._deep else self._in_counted(buffer, at)
        return self._in_kept(buffer, at)

    def _in_string(self, buffer: bytes, at: int, string: Node) -> int:
        end = _matched(_REST, buffer, at)
        room = SAMPLE_BYTES - len(string.sample)
        if room > 0:
            string.sample += buffer[at : min(end, at + room)]
        if end == len(buffer) or buffer[end] != _QUOTE:
            return end  # the end of the piece, or a backslash there
        string.stop = self._at + end + 1
        self._string = None
        if self._is_key:
            self._key, self._is_key = unquoted(string.sample), False
        return end + 1

    def _in_deep(self, buffer: bytes, at: int) -> int:
        end = _matched(_DEEP, buffer, at)
        if end == len(buffer):
            return end
        if buffer[end] == _QUOTE:
            self._string = Node(Kind.STRING, self._at + end)
        else:
            self._deep += 1 if buffer[end] in _CONTAINERS else -1
        return end + 1

    def _in_counted(self, buffer: bytes, at: int) -> int:
        end = _matched(_SLOT, buffer, at)
        self._filled = self._filled or _matched(_SPACE, buffer, at) < end
        if end == len(buffer):
            return end
        mark = buffer[end]
        if mark in _CLOSERS:
            return self._close(mark, end)
        if mark == ord(","):
            self._stack[-1].count += 1
        elif mark == _QUOTE:
            self._string = Node(Kind.STRING, self._at + end)
        else:
            self._deep = 1
        self._filled = mark != ord(",")
        return end + 1

    def _jump(self, buffer: bytes, at: int, top: Node) -> int:
        """Over the largest window in which `top` does not end; `at` when there is none."""
        if self._at + at < self._slow_to:
            return at
        for width in _WINDOWS:
            window = buffer[at : at + width]
            found = stretch_of(window, self._deep) if len(window) > width // 8 else None
            if found is not None:
                return self._jumped(found, at, top)
        self._slow_to = self._at + at + _WINDOWS[-1]
        return at

    def _jumped(self, found: Stretch, at: int, top: Node) -> int:
        self._deep = found.deep
        top.count += found.commas
        self._filled = found.filled or (self._filled and not found.commas)
        if found.in_string:
            self._string = Node(Kind.STRING, self._at + at + found.size)
        return at + found.size

    def _in_kept(self, buffer: bytes, at: int) -> int:
        spaced = _matched(_SPACE, buffer, at)
        if spaced > at:
            return spaced
        if not self._stack and self.root is not None:
            self.several = True
            return at
        mark = buffer[at]
        if mark == _QUOTE:
            return self._open_string(at)
        if mark in _CONTAINERS:
            return self._open_container(_CONTAINERS[mark], at)
        if mark in _CLOSERS and self._stack:
            return self._close(mark, at)
        if mark in b",:" and self._stack:
            return self._separate(mark, at)
        return self._literal(buffer, at)

    # --- what begins and ends -------------------------------------------------------------------

    def _open_string(self, at: int) -> int:
        top = self._stack[-1] if self._stack else None
        if top is not None and top.kind is Kind.OBJECT and self._key is None:
            if self._filled:
                return self._break(at)
            self._string, self._is_key = Node(Kind.STRING, self._at + at), True
            return at + 1
        node = self._place(Kind.STRING, at)
        self._string = node
        return self._break(at) if node is None else at + 1

    def _open_container(self, kind: Kind, at: int) -> int:
        node = self._place(kind, at)
        if node is None:
            return self._break(at)
        self._stack.append(node)
        self._counting.append(len(self._stack) > self._depth or self._nodes <= 0)
        self._filled = False
        return at + 1

    def _close(self, mark: int, at: int) -> int:
        top = self._stack[-1]
        if _CLOSERS[mark] is not top.kind or self._key is not None:
            return self._break(at)
        self._stack.pop()
        self._counting.pop()
        top.count += self._filled
        top.stop = self._at + at + 1
        self._filled = True  # the place it has in what holds it
        return at + 1

    def _separate(self, mark: int, at: int) -> int:
        if mark == ord(":"):
            return self._break(at) if self._key is None else at + 1
        if not self._filled or self._key is not None:
            return self._break(at)
        top = self._stack[-1]
        top.count += 1
        items = self._outer_items if len(self._stack) == _OUTER else self._items
        most = self._members if top.kind is Kind.OBJECT else items
        self._counting[-1] = len(top.members) >= most or self._nodes <= 0
        self._filled = False
        return at + 1

    def _literal(self, buffer: bytes, at: int) -> int:
        end = _matched(_LITERAL, buffer, at)
        if end == len(buffer) and end - at < _LITERAL_BYTES:
            return at  # it may go on in the next piece
        word = buffer[at:end]
        kind = _WORDS.get(word) or (Kind.NUMBER if _NUMBER.fullmatch(word) else None)
        node = self._place(kind, at) if kind is not None else None
        if node is None:
            return self._break(at)
        node.sample, node.stop = word, self._at + end
        return end

    def _place(self, kind: Kind, at: int) -> Node | None:
        """A new node in the container that is open; None where no value may stand."""
        node = Node(kind, self._at + at)
        if not self._stack:
            self.root = node
            return node
        top = self._stack[-1]
        if self._filled or (top.kind is Kind.OBJECT and self._key is None):
            return None
        top.members.append((self._key or "", node))
        self._nodes -= 1
        self._key, self._filled = None, True
        return node

    def _break(self, at: int) -> int:
        self.broken_at = self._at + at
        return at


def _matched(pattern: re.Pattern[bytes], buffer: bytes, at: int) -> int:
    match = pattern.match(buffer, at)
    return at if match is None else match.end()
