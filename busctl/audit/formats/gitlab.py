"""GitLab's Code Quality report: a JSON list, shown in the merge request."""

from __future__ import annotations

import json

from busctl.audit.model import Severity
from busctl.audit.outcome import Outcome, distinct

SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.NOTE: "info"}


def render(outcome: Outcome) -> str:
    """GitLab refuses a report in which a fingerprint occurs twice."""
    issues = [
        {
            "description": f"{one.code}: {one.message} {one.remedy}",
            "check_name": one.name,
            "fingerprint": one.fingerprint,
            "severity": SEVERITIES[one.severity],
            "location": {
                "path": outcome.in_checkout(one.path),
                "lines": {"begin": one.span.line, "end": one.span.end_line},
            },
        }
        for one in distinct(outcome.findings)
    ]
    return json.dumps(issues, indent=2) + "\n"
