"""What `busctl doctor` tells: facts by section, and what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from busctl.core.operating.finding import Finding
from busctl.core.operating.health import Grade, Graded, Health


class Mode(StrEnum):
    """How a connection reaches the server, as was proved."""

    DIRECT = "direct"
    SESSION = "session pooler"
    TRANSACTION = "transaction pooler"


def mode_of(announced: Sequence[int], backends: Sequence[Sequence[int]]) -> Mode:
    """The mode of two connections: the backend numbers they were told when they connected, and
    those that really served them, taking turns.

    A server tells the true number. A pooler tells one of its own; if one backend then serves both
    connections, it lends backends out by transaction.
    """
    if all(number == own for own, seen in zip(announced, backends, strict=True) for number in seen):
        return Mode.DIRECT
    shared = set(backends[0]) & set(backends[1])
    moved = any(len(set(seen)) > 1 for seen in backends)
    return Mode.TRANSACTION if shared or moved else Mode.SESSION


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Facts by section and name, findings beside those of the checks, and the checks."""

    sections: Mapping[str, Mapping[str, Any]]
    findings: Sequence[Graded]
    health: Health | None
    texts: Mapping[str, Any] = field(default_factory=dict)
    """More of it, for a bundle: by file name."""

    @property
    def all_findings(self) -> list[Finding]:
        checked = self.health.report.findings if self.health else ()
        return [*self.findings, *checked]

    @property
    def exit_code(self) -> int:
        """That of the checks; 1 where only something else is wrong, 2 for a wrong configuration."""
        if self.health is None:
            return 2
        wrong = any(one.grade in (Grade.WARNING, Grade.CRITICAL) for one in self.findings)
        return self.health.exit_code or int(wrong)
