"""Markdown for a comment or a job summary: a table, and below it each finding with its lines.

Nothing in a message or a file becomes markup, a mention or a link to an issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from busctl.audit.formats.characters import encodable, printable
from busctl.audit.formats.excerpt import excerpt
from busctl.audit.formats.text import summary
from busctl.audit.model import Finding
from busctl.audit.outcome import Outcome

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$-])")
# `@name` would call somebody and `#12` name an issue; the comment between is not shown.
_CALL = re.compile(r"(@|\\#)(?=\w)")
# A bare address becomes a link on GitHub even when its letters are escaped.
_LINK = re.compile(r"(?i)(www\.|://)")


def render(outcome: Outcome) -> str:
    # The names of files not looked at come below, escaped as a list.
    said, looked, *_ = summary(outcome)
    parts = ["## busctl audit", "", f"{said} {looked}", ""]
    if outcome.findings:
        parts += ["| | Finding | Where | Confidence |", "|---|---|---|---|"]
        parts += [_row(one) for one in outcome.findings]
        parts.append("")
    for one in outcome.findings:
        parts += _details(one, outcome)
    parts += [
        f"- Not looked at: {plain(path)}: {plain(why)}" for path, why in outcome.not_looked_at
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def plain(text: str) -> str:
    """`text` on one line, shown as it is wherever Markdown is read, in table cells too."""
    line = printable(encodable(" ".join(text.split())))
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _MARKUP.sub(r"\\\1", line)
    return _LINK.sub(_apart, _CALL.sub(r"\1<!-- -->", line))


def _apart(match: re.Match[str]) -> str:
    return f"{match[1][:-1]}<!-- -->{match[1][-1]}"


def _row(finding: Finding) -> str:
    return (
        f"| {finding.severity.value} | {finding.code} {plain(finding.message)} "
        f"| {plain(f'{finding.path}:{finding.span.line}')} | {finding.confidence.value} |"
    )


def _details(finding: Finding, outcome: Outcome) -> Iterator[str]:
    span = finding.span
    yield (
        f"<details><summary>{finding.code} {finding.name}: "
        f"{plain(f'{finding.path}:{span.line}:{span.column}')}</summary>"
    )
    yield ""
    yield plain(finding.message)
    yield ""
    rows = excerpt(outcome.sources(finding.path), span)
    if rows:
        code = [encodable(row.text) for row in rows]
        fence = _fence(code)
        yield from (f"{fence}text", *code, fence, "")
    yield from (f"- Evidence: {plain(each)}" for each in finding.evidence)
    yield f"- Remedy: {plain(finding.remedy)}"
    if finding.symbol:
        yield f"- In: {plain(finding.symbol)}"
    yield ""
    yield "</details>"
    yield ""


def _fence(lines: list[str]) -> str:
    """Longer than any run of backticks inside."""
    runs = [len(run) for line in lines for run in re.findall("`+", line)]
    return "`" * max(3, max(runs, default=0) + 1)
