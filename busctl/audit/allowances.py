"""`# busctl: allow[CODE] reason`: a finding that is accepted, with the reason beside it.

On the finding's first line, or alone on the line above it. The reason is required, and an
allowance that nothing needs any more is a finding itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from busctl.audit.model import Confidence, Finding, Severity, Span
from busctl.audit.source import Source

UNUSED = "AU002"
REASONLESS = "AU003"
_ALLOWED = re.compile(r"#\s*busctl:\s*allow\[(?P<codes>[^\]]*)\]\s*(?P<reason>.*)$")


@dataclass(frozen=True, slots=True)
class Allowance:
    """`line` is the one it speaks for, `at` the one it stands on."""

    codes: tuple[str, ...]
    reason: str
    line: int
    at: int
    column: int


def allowances_of(source: Source) -> Iterator[Allowance]:
    """The allowances of a file."""
    if "busctl:" not in source.text:
        return
    for at, comment in source.comments.items():
        if match := _ALLOWED.search(comment):
            codes = tuple(code.strip() for code in match["codes"].split(",") if code.strip())
            before = source.line(at)[: source.line(at).find(comment)]
            line = at if before.strip() else _following(source, at)
            yield Allowance(codes, match["reason"].strip(), line, at, len(before) + 1)


def _following(source: Source, at: int) -> int:
    """The next line that is not a comment or empty."""
    for number in range(at + 1, len(source.lines) + 1):
        text = source.line(number).strip()
        if text and not text.startswith("#"):
            return number
    return at


def apply(
    findings: Iterable[Finding],
    allowances: Mapping[str, Sequence[Allowance]],
    checked: AbstractSet[str],
    allowed: list[Finding],
) -> list[Finding]:
    """The findings that are not allowed (the others are added to `allowed`), and those of the
    allowances: no reason given, or nothing there to allow, which is judged only when all its rules
    (by code or name) are among `checked`."""
    used: set[tuple[str, int]] = set()
    kept = []
    for finding in findings:
        allowance = _for(finding, allowances.get(finding.path, ()))
        if allowance is None:
            kept.append(finding)
            continue
        used.add((finding.path, allowance.at))
        (allowed if allowance.reason else kept).append(finding)
    for path, each in allowances.items():
        for allowance in each:
            if not allowance.reason:
                kept.append(_said(REASONLESS, path, allowance))
            elif (path, allowance.at) not in used and checked >= {*allowance.codes}:
                kept.append(_said(UNUSED, path, allowance))
    return kept


def _for(finding: Finding, allowances: Sequence[Allowance]) -> Allowance | None:
    return next(
        (
            one for one in allowances
            if one.line == finding.span.line and {finding.code, finding.name} & {*one.codes}
        ),
        None,
    )  # fmt: skip


def _said(code: str, path: str, allowance: Allowance) -> Finding:
    codes = ", ".join(allowance.codes) or "nothing"
    if code == UNUSED:
        name, message = "unused-allowance", f"Nothing here needs allow[{codes}]."
        remedy = "Take the comment out: it would hide the next fault on this line."
    else:
        name, message = (
            "reasonless-allowance",
            f"allow[{codes}] has no reason: it allows nothing.",
        )
        remedy = "Write after the bracket why the loss is acceptable."
    return Finding(
        code=code, name=name, path=path,
        span=Span(allowance.at, allowance.column, allowance.at, allowance.column),
        message=message, severity=Severity.WARNING, confidence=Confidence.HIGH, remedy=remedy,
        anchor=codes,
    )  # fmt: skip
