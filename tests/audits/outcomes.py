"""Outcomes made for tests, and Hypothesis strategies for hostile ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from hypothesis import strategies as st

from busctl.audit import Confidence, Finding, Rule, Severity, Span
from busctl.audit.outcome import Outcome

LINES = (
    "def load(path):",
    "\ttry:",
    "\t\treturn json.loads(read(path))",
    "\texcept (OSError, ValueError):",
    "\t\treturn {}",
)


class Swallowed(Rule):
    """A rule that is only described."""

    code: ClassVar[str] = "XX001"
    name: ClassVar[str] = "swallowed"
    family: ClassVar[str] = "silent"
    severity: ClassVar[Severity] = Severity.ERROR
    summary: ClassVar[str] = "An error becomes a value."
    why: ClassVar[str] = "The caller cannot tell it from a real one."
    remedy: ClassVar[str] = "Let the error pass."


def finding(
    path: str = "app/load.py", line: int = 4, column: int = 2, *, code: str = "XX001",
    end_line: int | None = None, end_column: int | None = None, message: str = "`load` returns {}.",
    severity: Severity = Severity.ERROR, confidence: Confidence = Confidence.HIGH,
    evidence: tuple[str, ...] = ("no caller looks",), symbol: str = "load", anchor: str = "",
    remedy: str = "Let the error pass.", name: str = "swallowed",
) -> Finding:  # fmt: skip
    last = end_line or line
    span = Span(line, column, last, end_column or column + 6)
    return Finding(
        code=code, name=name, path=path, span=span, message=message, severity=severity,
        confidence=confidence, remedy=remedy, evidence=evidence, symbol=symbol,
        anchor=anchor or f"{line}:{column}",
    )  # fmt: skip


def outcome(
    *findings: Finding, checked: int = 3, not_looked_at: tuple[tuple[str, str], ...] = (),
    allowed: int = 0, lines: Sequence[str] = LINES, known: int = 0,
) -> Outcome:  # fmt: skip
    return Outcome(
        findings=findings, checked=checked, not_looked_at=not_looked_at, allowed=allowed,
        rules=(Swallowed(),), sources=lambda _: lines, suppressed_by_baseline=known,
    )  # fmt: skip


# Every code point, halves of pairs too: a path may hold bytes, and a message any string constant.
TEXT = st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from([
    "::error::x", "a|b`c<script>", "]]>", "\x1b[31mred\x1b[0m", "a,b:c%0A", "\u202egnp.exe",
    "@team #12 [x](http://y) www.z", "\ud800\udc80", "line\r\nline\u2028line", "--- +++ \\",
])  # fmt: skip
PATHS = TEXT.filter(bool)


@st.composite
def findings_of(draw: st.DrawFn) -> Finding:
    line = draw(st.integers(1, 9))
    column = draw(st.integers(1, 60))
    end_line = line + draw(st.integers(0, 20))
    return finding(
        draw(PATHS), line, column, end_line=end_line,
        end_column=draw(st.integers(column if end_line == line else 1, 99)),
        code=draw(st.sampled_from(["XX001", "AU001", "ZZ900"])), message=draw(TEXT),
        severity=draw(st.sampled_from(Severity)), confidence=draw(st.sampled_from(Confidence)),
        evidence=tuple(draw(st.lists(TEXT, max_size=2))), symbol=draw(TEXT), anchor=draw(TEXT),
        remedy=draw(TEXT),
    )  # fmt: skip


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    found = sorted(
        draw(st.lists(findings_of(), max_size=4)), key=lambda one: (one.path, one.span.line)
    )
    return outcome(
        *found, checked=draw(st.integers(0, 9)),
        not_looked_at=tuple(draw(st.lists(st.tuples(PATHS, TEXT), max_size=2))),
        allowed=draw(st.integers(0, 2)), lines=draw(st.lists(TEXT, max_size=30)),
    )  # fmt: skip
