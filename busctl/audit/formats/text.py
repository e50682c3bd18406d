"""For people: findings by file, each with its lines, what speaks for it and what to do.

The layout alone. Colours are the command's: `paint(style, text)` is called with one of STYLES, and
never changes what is said.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from itertools import groupby

from busctl.audit.formats.characters import counted, printable
from busctl.audit.formats.excerpt import excerpt
from busctl.audit.model import Finding, Severity
from busctl.audit.outcome import Outcome, by_severity, distinct, statistics

Paint = Callable[[str, str], str]
STYLES = ("path", "code", "error", "warning", "note", "faint", "caret", "label", "good")
WIDTH = 100
NOT_LOOKED_AT_SHOWN = 10


def render(outcome: Outcome, paint: Paint | None = None) -> str:
    """The findings, and the summary below them."""
    paint = paint or _plain
    parts = [
        line
        for path, findings in groupby(outcome.findings, key=lambda one: one.path)
        for line in _file(path, list(findings), outcome, paint)
    ]
    return "\n".join([*parts, *summary(outcome, paint)]) + "\n"


def _plain(style: str, text: str) -> str:
    return text


def _file(path: str, findings: list[Finding], outcome: Outcome, paint: Paint) -> Iterator[str]:
    lines = outcome.sources(path)
    yield paint("path", printable(outcome.shown(path)))
    yield ""
    for finding in findings:
        yield from _heading(finding, outcome.shown(path), paint)
        rows = excerpt(lines, finding.span)
        gutter = max((len(str(row.number)) for row in rows if row.is_code), default=0)
        for row in rows:
            number = paint("faint", f"{row.number if row.is_code else '':>{gutter}} │")
            text = row.text if row.is_code else paint("caret", row.text)
            yield f"    {number} {text}".rstrip()
        for each in finding.evidence:
            yield from _said("evidence", each, paint)
        yield from _said("remedy", finding.remedy, paint)
        yield ""


def _heading(finding: Finding, path: str, paint: Paint) -> Iterator[str]:
    """Where it is comes first: a terminal makes a link of `path:line:column`."""
    where = printable(f"{path}:{finding.span.line}:{finding.span.column}")
    sure = f"({finding.confidence.value} confidence)"
    inside = f" in {printable(finding.symbol)}" if finding.symbol else ""
    yield (
        f"  {where} {paint(finding.severity.value, finding.severity.value)} "
        f"{paint('code', finding.code)} {finding.name} {paint('faint', sure + inside)}"
    )
    yield from _wrapped(finding.message, "    ")


def _said(label: str, text: str, paint: Paint) -> Iterator[str]:
    first, *rest = [*_wrapped(text, " " * 14)] or [""]
    yield f"    {paint('label', label)}{' ' * (10 - len(label))}{first.lstrip()}"
    yield from rest


def _wrapped(text: str, indent: str) -> list[str]:
    return [
        line
        for each in text.splitlines()
        for line in textwrap.wrap(
            printable(each), WIDTH, initial_indent=indent, subsequent_indent=indent,
            break_long_words=False, break_on_hyphens=False,
        )
    ]  # fmt: skip


# --- summary -----------------------------------------------------------------------------------


def summary(outcome: Outcome, paint: Paint | None = None) -> list[str]:
    """The closing lines: distinct findings, files looked at, files not looked at and why."""
    paint = paint or _plain
    lines = [_found(outcome, paint)]
    looked = f"{counted(outcome.checked, 'file')} looked at"
    if not outcome.checked:
        looked = paint("error", "Nothing was looked at")
    more = [looked]
    if outcome.not_looked_at:
        more.append(f"{len(outcome.not_looked_at):,} not looked at")
    if outcome.allowed:
        more.append(f"{outcome.allowed:,} allowed by a comment")
    if outcome.suppressed_by_baseline:
        more.append(f"{outcome.suppressed_by_baseline:,} known in the baseline")
    return [*lines, ", ".join(more) + ".", *_not_looked_at(outcome, paint)]


def _found(outcome: Outcome, paint: Paint) -> str:
    found = distinct(outcome.findings)
    if not found:
        return paint("good", "No findings.") if outcome.checked else "No findings."
    each = [
        paint(severity.value, counted(count, severity.value))
        for severity, count in by_severity(outcome).items()
        if count
    ]
    return f"{', '.join(each)} in {counted(len({one.path for one in found}), 'file')}."


def _not_looked_at(outcome: Outcome, paint: Paint) -> Iterator[str]:
    for path, why in outcome.not_looked_at[:NOT_LOOKED_AT_SHOWN]:
        yield f"  {paint('path', printable(path))}: {printable(why)}"
    if (left := len(outcome.not_looked_at) - NOT_LOOKED_AT_SHOWN) > 0:
        yield f"  … and {left:,} more (`--format json` names them all)"


def counts(outcome: Outcome, paint: Paint | None = None) -> str:
    """What `--statistics` shows: how often each rule found its mistake."""
    paint = paint or _plain
    rows = statistics(outcome)
    digits = max((len(f"{row.count:,}") for row in rows), default=0)
    wide = max((len(severity.value) for severity in Severity), default=0)
    lines = [
        f"{row.count:>{digits},}  {paint('code', row.code)}  "
        f"{paint(row.severity.value, row.severity.value)}{' ' * (wide - len(row.severity.value))}  "
        f"{row.name}"
        for row in rows
    ]
    return "\n".join([*lines, *summary(outcome, paint)]) + "\n"
