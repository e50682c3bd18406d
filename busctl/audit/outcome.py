"""What one audit came to: all that any format, the baseline or the exit code needs to know."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from busctl.audit.model import Finding, Severity
from busctl.audit.rule import Rule


@dataclass(frozen=True)
class Outcome:
    """`checked` counts files looked at; `not_looked_at` holds (path, why); `allowed` counts the
    findings that a comment allows. `sources` gives the lines of a file, none if it has none."""

    findings: tuple[Finding, ...]
    checked: int
    not_looked_at: tuple[tuple[str, str], ...]
    allowed: int
    rules: tuple[Rule, ...]
    sources: Callable[[str], Sequence[str]]
    suppressed_by_baseline: int = 0
    root: str = ""
    """The folder that the findings' paths are relative to."""

    cwd: str = ""
    """Where whoever reads the text is."""

    checkout: str = ""
    """Where the root lies in the checkout around it, "" at its top."""

    def in_checkout(self, path: str) -> str:
        """A finding's path as the platform that made the checkout knows it."""
        return f"{self.checkout}/{path}" if self.checkout else path

    def shown(self, path: str) -> str:
        """A finding's path from where the reader is, whole where that is far away."""
        if not self.root or not self.cwd or self.root == self.cwd:
            return path
        relative = os.path.relpath(self.absolute(path), self.cwd)
        return self.absolute(path) if relative.startswith("..") else relative

    def absolute(self, path: str) -> str:
        """A finding's path as it can be opened from anywhere."""
        return f"{self.root.rstrip('/')}/{path}" if self.root else path


@dataclass(frozen=True, slots=True)
class Count:
    """How often one rule found its mistake; `severity` is the worst of them."""

    code: str
    name: str
    severity: Severity
    count: int


def statistics(outcome: Outcome) -> tuple[Count, ...]:
    """Distinct findings by code, the most frequent first."""
    counted = Counter(one.code for one in distinct(outcome.findings))
    worst: dict[str, Finding] = {}
    for one in sorted(outcome.findings, key=lambda one: list(Severity).index(one.severity)):
        worst.setdefault(one.code, one)
    return tuple(
        Count(code, worst[code].name, worst[code].severity, count)
        for code, count in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def by_severity(outcome: Outcome) -> dict[Severity, int]:
    """Distinct findings of each severity, the worst first; 0 where there is none."""
    counted = Counter(one.severity for one in distinct(outcome.findings))
    return {severity: counted[severity] for severity in Severity}


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Each fingerprint once."""
    return list({one.fingerprint: one for one in findings}.values())
