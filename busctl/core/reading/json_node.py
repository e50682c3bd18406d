"""One value of a scanned JSON text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum

_ESCAPES_BYTES = len(r"\ud83d\ude00")


class Kind(StrEnum):
    """What a JSON value is."""

    OBJECT = "object"
    ARRAY = "array"
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"


@dataclass(slots=True)
class Node:
    """One value: its bytes in the text are [start, stop), `stop` is None while it is open.

    `count` is how many members or items it has, `members` the first of them (an item's key is ""),
    `sample` the first bytes of a string between its quotes, or a literal whole.
    """

    kind: Kind
    start: int
    stop: int | None = None
    count: int = 0
    sample: bytes = b""
    members: list[tuple[str, Node]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes in the text, quotes and brackets with it; 0 while it is open."""
        return 0 if self.stop is None else self.stop - self.start

    def get(self, key: str) -> Node | None:
        """The first kept member of that key."""
        return next((node for name, node in self.members if name == key), None)

    @property
    def text(self) -> str | None:
        """A string's value; None for one that is longer than what was remembered of it."""
        whole = self.kind is Kind.STRING and self.size == len(self.sample) + 2
        return unquoted(self.sample) if whole else None


def unquoted(raw: bytes) -> str:
    """What stands between the quotes of a JSON string, read; one that was cut anywhere is read to
    its last whole character. As it stands where it is no JSON."""
    for cut in range(min(_ESCAPES_BYTES, len(raw)) + 1):
        try:
            text = json.loads(b'"' + raw[: len(raw) - cut] + b'"', strict=False)
        except ValueError:  # busctl: allow[SF007] the next piece is shorter
            continue
        # Half a pair of surrogates is no character.
        return str(text).encode("utf-8", "ignore").decode()
    return raw.decode("utf-8", "backslashreplace")
