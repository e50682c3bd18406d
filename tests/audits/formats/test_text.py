"""The form for people: marks under what is meant, nothing that moves the cursor, a true summary."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings

from busctl.audit import Severity, Span
from busctl.audit.formats.excerpt import COLUMNS, LINES, excerpt
from busctl.audit.formats.text import STYLES, counts, render
from busctl.audit.outcome import Outcome, statistics
from tests.audits.outcomes import finding, outcome, outcomes


def test_a_finding() -> None:
    assert render(outcome(finding(end_column=30))) == (
        """\
app/load.py

  app/load.py:4:2 error XX001 swallowed (high confidence) in load
    `load` returns {}.
    4 │ except (OSError, ValueError):
      │ ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    evidence  no caller looks
    remedy    Let the error pass.

1 error in 1 file.
3 files looked at.
"""
    )


def test_files_are_named_once() -> None:
    text = render(outcome(finding("a.py"), finding("a.py", 2), finding("b.py")))
    assert [line for line in text.splitlines() if re.fullmatch(r"\S+\.py", line)] == [
        "a.py",
        "b.py",
    ]
    assert "3 errors in 2 files." in text


def test_the_summary_counts_distinct_faults_and_says_what_was_missed() -> None:
    same = finding()
    note = finding(line=2, severity=Severity.NOTE)
    missed = tuple((f"{number}.py", "locked") for number in range(12))
    text = render(outcome(same, same, note, checked=1200, not_looked_at=missed, allowed=2, known=3))
    assert "1 error, 1 note in 1 file." in text
    assert (
        "1,200 files looked at, 12 not looked at, 2 allowed by a comment, 3 known in the baseline."
        in text
    )
    assert "  0.py: locked" in text
    assert "… and 2 more" in text


def test_no_findings_and_nothing_looked_at_differ() -> None:
    assert render(outcome()) == "No findings.\n3 files looked at.\n"
    assert "Nothing was looked at" in render(outcome(checked=0))


def test_statistics_count_by_code() -> None:
    told = outcome(finding(), finding(line=2), finding(code="XX002", severity=Severity.NOTE))
    assert [(one.code, one.count) for one in statistics(told)] == [("XX001", 2), ("XX002", 1)]
    assert counts(told).splitlines()[:2] == [
        "2  XX001  error    swallowed", "1  XX002  note     swallowed",
    ]  # fmt: skip


def test_paint_adds_colour_and_nothing_else() -> None:
    used = set()

    def paint(style: str, text: str) -> str:
        used.add(style)
        return f"\x1b[1m{text}\x1b[0m"

    told = outcome(finding(), finding(line=2, severity=Severity.NOTE), allowed=1)
    painted = render(told, paint)
    assert used <= set(STYLES)
    assert {"path", "code", "error", "note", "caret", "label"} <= used
    assert re.sub(r"\x1b\[\d+m", "", painted) == render(told)


@given(outcomes())
@settings(max_examples=60, deadline=None)
def test_nothing_steers_the_terminal(told: Outcome) -> None:
    text = render(told)
    assert all(letter.isprintable() for line in text.split("\n") for letter in line)


# --- excerpts ----------------------------------------------------------------------------------


def columns(text: str) -> int:
    """As a terminal counts."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("x = load(path)", "load(path)"), ("\t\tx = load()", "load()"),
        ("名前 = load(名)", "load(名)"), ("e\u0301 = load()", "load()"),
        ('"\x1b[0m", load()', "load()"),
        ("a" * 400 + " load() " + "b" * 400, "load()"), ("  spaced  ", "  spaced  "),
    ],
)  # fmt: skip
def test_marks_stand_under_what_is_meant(line: str, meant: str) -> None:
    start = line.index(meant)
    code, marks = excerpt([line], Span(1, start + 1, 1, start + len(meant) + 1))
    before, _, _ = code.text.partition(meant.strip())
    assert marks.text == " " * columns(before) + "^" * columns(meant.strip())
    assert len(code.text) <= COLUMNS + 1


def test_long_spans_are_shown_shortened() -> None:
    lines = [f"    line {number}" for number in range(1, 40)]
    rows = excerpt(lines, Span(3, 5, 30, 8))
    assert [row.number for row in rows if row.is_code] == [3, 4, 5, 6, 7, 8, 9, 30]
    assert [row.text for row in rows if not row.is_code] == ["^^^^^^", "…"]
    assert sum(row.is_code for row in rows) == LINES


def test_common_indentation_goes_and_the_rest_stays() -> None:
    rows = excerpt(["    if x:", "", "        y()"], Span(1, 5, 3, 12))
    assert [row.text for row in rows if row.is_code] == ["if x:", "", "    y()"]


def test_a_line_that_is_not_there_shows_nothing() -> None:
    assert excerpt(["x"], Span(2, 1, 2, 5)) == ()
    assert excerpt([], Span(1, 1, 1, 1)) == ()
