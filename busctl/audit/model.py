"""What an audit says: a finding, where it is, how sure it is and what speaks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any


class Severity(StrEnum):
    """How much is lost if the finding is true."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Confidence(StrEnum):
    """How likely the finding is true. `rank` orders them, 0 is the lowest."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        return list(Confidence).index(self)


@dataclass(frozen=True, slots=True)
class Span:
    """Lines and columns from 1, as editors count; the end column is the one after the last."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `message` says what is lost and who cannot learn of it; `symbol` is the function
    or class around it; `anchor` is the text that, with code, path and symbol, makes the
    fingerprint; `asks` is what the rule wants to see again when the whole project is known."""

    code: str
    name: str
    path: str
    span: Span
    message: str
    severity: Severity
    confidence: Confidence
    remedy: str
    evidence: tuple[str, ...] = ()
    symbol: str = ""
    anchor: str = ""
    occurrence: int = 0
    asks: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """The same for the same fault after lines above it moved: 16 hexadecimal digits."""
        parts = (self.code, self.path, self.symbol, self.anchor, str(self.occurrence))
        return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
