"""What the judges say of one literal."""

from __future__ import annotations

from dataclasses import dataclass

from audits.config.words import Kind
from busctl.audit import Confidence


@dataclass(frozen=True, slots=True)
class Verdict:
    """This literal ought to be configuration; `for_uses` are the uses of which a module constant
    must have at least one (empty: it is no constant, nothing is left to ask)."""

    kind: Kind
    confidence: Confidence
    evidence: tuple[str, ...]
    for_uses: frozenset[str] = frozenset()
