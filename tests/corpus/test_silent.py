"""How well the rules on silent failures agree with handlers labelled by hand.

The labels in silent.tsv come from fourteen published packages. Only the labelled files are
audited, not the whole packages, so that this stays short: what callers in other files do with a
result is not seen here. Every third package was held out: its code was not looked at while the
rules were written. Its label reasons had been read and its figures were watched, so that they
are a little kinder than those on code that nobody has seen.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from busctl.audit import Confidence, Finding
from busctl.audit.examining import UNREADABLE, Examined, conclude, examine
from busctl.audit.registry import rules
from tests.corpus.packages import unpacked
from tests.corpus.scoring import Label, handlers_hit, labels, score

Hits = frozenset[tuple[str, str, int]]
LABELS = labels(Path(__file__).with_name("silent.tsv"))
SOURCES = sorted({row.source for row in LABELS})
HELD_OUT = frozenset(SOURCES[2::3])
RULES = [rule for rule in rules() if rule.family == "silent" and rule.default]
# What was reached when these were written, less a little for labels that lie on the edge.
FLOORS = {
    "all": (0.76, 0.72),
    "high": (0.92, 0.40),
    "held out": (0.54, 0.50),
}


def _examined(source: str, path: str) -> Examined:
    text = (unpacked(source) / path).read_text(encoding="utf-8")
    return examine(path, text, RULES)


def _findings(source: str) -> list[Finding]:
    paths = sorted({row.path for row in LABELS if row.source == source})
    return conclude([_examined(source, path) for path in paths], RULES)


def _hits(found: dict[str, list[Finding]], wanted: Confidence) -> Hits:
    lines: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for source, findings in found.items():
        for finding in findings:
            if finding.confidence.rank >= wanted.rank:
                lines[source, finding.path].add(finding.span.line)
    return frozenset(
        (source, path, line)
        for (source, path), some in lines.items()
        for line in handlers_hit((unpacked(source) / path).read_text(encoding="utf-8"), some)
    )


@pytest.fixture(scope="module")
def found() -> dict[str, list[Finding]]:
    for source in SOURCES:
        unpacked(source)
    with ProcessPoolExecutor(max_workers=2) as workers:
        return dict(zip(SOURCES, workers.map(_findings, SOURCES), strict=True))


@pytest.mark.timeout(900)
def test_every_label_is_of_a_file_that_was_looked_at(found: dict[str, list[Finding]]) -> None:
    unread = [one.path for some in found.values() for one in some if one.code == UNREADABLE]
    assert unread == []
    assert len(LABELS) >= 600


@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", sorted(FLOORS))
def test_the_figures_do_not_fall(which: str, found: dict[str, list[Finding]]) -> None:
    rows = [row for row in LABELS if which != "held out" or row.source in HELD_OUT]
    hits = _hits(found, Confidence.HIGH if which == "high" else Confidence.LOW)
    reached, (precision, recall) = score(rows, hits), FLOORS[which]
    print(f"\n{which}: {reached}")
    if which == "all":
        _print_sources(rows, hits)
    assert reached.precision >= precision
    assert reached.recall >= recall


def _print_sources(rows: list[Label], hits: Hits) -> None:
    for source in SOURCES:
        told = score([row for row in rows if row.source == source], hits)
        print(f"  {source}{' (held out)' if source in HELD_OUT else ''}: {told}")
