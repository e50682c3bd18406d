"""What everything that inspects yields: what was looked at, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `subject` names it, `remedy` says what to do about it."""

    kind: str
    subject: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Report:
    """`checked` counts what was looked at: a report that looked at nothing is no success."""

    checked: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return self.checked > 0 and not self.findings
