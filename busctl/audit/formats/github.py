"""Workflow commands: a GitHub runner shows each as an annotation on its line.

`file` is relative to the checkout, for GitHub to find it. GitHub shows ten errors and ten warnings
a step; `sarif` has no such limit.
"""

from __future__ import annotations

from busctl.audit.formats.characters import counted, encodable
from busctl.audit.model import Finding, Severity
from busctl.audit.outcome import Outcome

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(outcome: Outcome) -> str:
    lines = [_command(one, outcome.in_checkout(one.path)) for one in outcome.findings]
    lines += [
        f"::warning file={_property(outcome.in_checkout(path))},title=not looked at::{_data(why)}"
        for path, why in outcome.not_looked_at
    ]
    if not outcome.checked:
        lines.append("::error title=busctl audit::Nothing was looked at.")
    lines.append(
        f"{counted(len(outcome.findings), 'finding')}, {counted(outcome.checked, 'file')} looked at"
    )
    return "\n".join(lines) + "\n"


def _command(finding: Finding, path: str) -> str:
    span = finding.span
    where = [f"file={_property(path)}", f"line={span.line}", f"endLine={span.end_line}"]
    if span.line == span.end_line:  # GitHub refuses columns on an annotation of several lines
        where.insert(2, f"col={span.column}")
    where.append(f"title={_property(f'{finding.code} {finding.name}')}")
    said = [finding.message, *finding.evidence, finding.remedy]
    sure = f"({finding.confidence.value} confidence)"
    return f"::{COMMANDS[finding.severity]} {','.join(where)}::{_data(chr(10).join([*said, sure]))}"


def _data(text: str) -> str:
    return encodable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
