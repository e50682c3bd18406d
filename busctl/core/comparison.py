"""One payload sent along one path and compared with what came back, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from busctl.core.samples import Kind


class Verdict(StrEnum):
    """IDENTICAL is a pass, NOT_TRIED is neither: nothing was compared."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    FAILED = "failed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Case:
    """A sample payload. Two cases of one run never have the same seed, so that an answer given to
    the wrong request differs."""

    kind: Kind
    size: int
    seed: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two byte strings part: `offset` is the first byte that differs, is missing or is too
    many; sizes in bytes."""

    offset: int
    expected_size: int
    got_size: int

    def __str__(self) -> str:
        return (
            f"first difference at byte {self.offset:,}; "
            f"expected {self.expected_size:,} bytes, got {self.got_size:,}"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome for one case on one path. `path` names it with its coding; `alone` is False
    when `concurrency` payloads were on their way at once. Times in ms, `stored_size` in bytes;
    None where they are not known."""

    path: str
    case: Case
    concurrency: int
    verdict: Verdict
    transaction_id: UUID | None = None
    stored_size: int | None = None
    put_ms: float | None = None
    get_ms: float | None = None
    difference: Difference | None = None
    note: str = ""

    @property
    def alone(self) -> bool:
        return self.concurrency == 1

    @property
    def subject(self) -> str:
        """What was compared, in words."""
        load = "alone" if self.alone else f"{self.concurrency} at once"
        about = f", message {self.transaction_id}" if self.transaction_id else ""
        return f"{self.path}, {self.case.kind} of {self.case.size:,} bytes, {load}{about}"

    def shape(self) -> dict[str, Any]:
        """The JSON shape."""
        known = self.transaction_id
        return {
            "path": self.path,
            "content": self.case.kind,
            "size_bytes": self.case.size,
            "seed": self.case.seed,
            "concurrency": self.concurrency,
            "verdict": self.verdict.value,
            "transaction_id": None if known is None else str(known),
            "stored_size_bytes": self.stored_size,
            "put_ms": self.put_ms,
            "get_ms": self.get_ms,
            "first_difference": None if self.difference is None else self.difference.offset,
            "got_size_bytes": None if self.difference is None else self.difference.got_size,
            "note": self.note or None,
        }


def difference(expected: bytes, got: bytes) -> Difference | None:
    """Where they part; None when they are the same bytes."""
    if expected == got:
        return None
    low, high = 0, min(len(expected), len(got))
    one, other = memoryview(expected), memoryview(got)
    while low < high:
        middle = (low + high) // 2
        if one[low : middle + 1] == other[low : middle + 1]:
            low = middle + 1
        else:
            high = middle
    return Difference(low, len(expected), len(got))
