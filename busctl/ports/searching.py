"""What searching needs from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from busctl.core.reading.json_paths import Bounds, ValuesFound
from busctl.core.reading.search import Finder


class Patterns(Protocol):
    """Regular expressions whose matching takes time linear in the text."""

    def compile(self, pattern: str, *, ignore_case: bool, literal: bool) -> Finder:
        """`literal`: the pattern is the text itself. Raises InvalidPattern."""


class JsonPaths(Protocol):
    """Paths of RFC 9535 over JSON, beside this process."""

    async def query(self, path: str, pieces: AsyncIterator[bytes], bounds: Bounds) -> ValuesFound:
        """The values that the path selects. Raises InvalidPattern for a path that cannot be read,
        NotJson, SearchTimedOut."""
