"""The largest payload that this deployment carries safely, path by path, and what stops it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from busctl.core.comparison import Comparison, Verdict

Attempt = Callable[[int], Awaitable[Comparison]]
"""Compares one payload of that size in bytes."""

DIFFERENT = "DIFFERENT BYTES"
WRONG = (DIFFERENT, "CORRUPT", "MISSING", "EXPIRED", "DENIED")
"""Beginnings of reasons that are no limit but a fault."""
FINE = 16
"""The search ends when a sixteenth of the size or less is in doubt."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`largest_bytes` came back identical (0: none did); `failed_bytes` is the smallest that did
    not, None if the bound of the search was reached. `why` says what stopped it."""

    path: str
    largest_bytes: int
    failed_bytes: int | None
    why: str
    is_wrong: bool = False

    def shape(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "path": self.path,
            "largest_bytes": self.largest_bytes,
            "failed_bytes": self.failed_bytes,
            "stopped_by": self.why,
            "wrong": self.is_wrong,
        }


async def find_limit(path: str, start: int, bound: int, bound_why: str, attempt: Attempt) -> Limit:
    """Double from `start` until `attempt` does not come back identical or `bound` is reached, then
    halve the doubt. `bound_why` says what the bound is."""
    good, size = 0, min(start, bound)
    while True:
        outcome = await _guarded(attempt, size)
        if isinstance(outcome, str):
            return await _narrowed(path, good, size, outcome, attempt)
        good = size
        if size >= bound:
            return Limit(path, good, None, bound_why)
        size = min(size * 2, bound)


async def _narrowed(path: str, good: int, bad: int, why: str, attempt: Attempt) -> Limit:
    """Between a size that passed and one that did not, to a sixteenth."""
    while good and not why.startswith(WRONG) and (bad - good) * FINE > good:
        middle = (good + bad) // 2
        outcome = await _guarded(attempt, middle)
        if isinstance(outcome, str):
            bad, why = middle, outcome
        else:
            good = middle
    return Limit(path, good, bad, why, is_wrong=why.startswith(WRONG))


async def _guarded(attempt: Attempt, size: int) -> Comparison | str:
    """The comparison when it passed whole, else why it did not."""
    try:
        outcome = await attempt(size)
    except MemoryError:
        return f"memory: this process cannot hold {size:,} bytes twice"
    if outcome.verdict is Verdict.DIFFERENT:
        return f"{DIFFERENT}: {outcome.difference}"
    if outcome.verdict is not Verdict.IDENTICAL or outcome.note:
        return outcome.note or outcome.verdict.value
    return outcome
