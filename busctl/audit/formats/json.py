"""JSON for programs, version 1.

`{"version": 1, "checked": 3, "not_looked_at": [{"path", "why"}], "allowed": 0, "known": 0,
"findings": [{"code", "name", "family", "path", "relative_path", "line", "column", "end_line",
"end_column", "message", "severity", "confidence", "evidence": [text], "remedy", "symbol",
"fingerprint"}]}`. Lines and columns count from 1, columns in characters, the end column is the one
after the last. `path` can be opened from anywhere, `relative_path` is relative to the project and
the same on every machine. `known` counts the findings that the baseline holds; `family` is "engine"
for what the engine itself says (codes AU…). Keys may be added within a version, none is changed or
taken away.
"""

from __future__ import annotations

import json
from typing import Any

from busctl.audit.model import Finding
from busctl.audit.outcome import Outcome

VERSION = 1


def render(outcome: Outcome) -> str:
    shape = {**summary(outcome), "findings": shapes(outcome)}
    return json.dumps(shape, indent=2) + "\n"


def summary(outcome: Outcome) -> dict[str, Any]:
    """All but the findings."""
    return {
        "version": VERSION,
        "checked": outcome.checked,
        "not_looked_at": [{"path": path, "why": why} for path, why in outcome.not_looked_at],
        "allowed": outcome.allowed,
        "known": outcome.suppressed_by_baseline,
    }


def shapes(outcome: Outcome) -> list[dict[str, Any]]:
    """The findings as values that JSON can hold."""
    families = {rule.code: rule.family for rule in outcome.rules}
    return [_shape(one, families.get(one.code, "engine"), outcome) for one in outcome.findings]


def _shape(finding: Finding, family: str, outcome: Outcome) -> dict[str, Any]:
    span = finding.span
    return {
        "code": finding.code, "name": finding.name, "family": family,
        "path": outcome.absolute(finding.path), "relative_path": finding.path,
        "line": span.line, "column": span.column,
        "end_line": span.end_line, "end_column": span.end_column,
        "message": finding.message, "severity": finding.severity.value,
        "confidence": finding.confidence.value, "evidence": list(finding.evidence),
        "remedy": finding.remedy, "symbol": finding.symbol, "fingerprint": finding.fingerprint,
    }  # fmt: skip
