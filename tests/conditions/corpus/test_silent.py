"""How well the rules on silent failures agree with handlers labelled by hand.

The labels in silent.tsv come from 164 published packages. Only the labelled files are
audited, not the whole packages, so that this stays short: what callers in other files do with a
result is not seen here. Two figures: on packages the weights were fitted to, and by weights fitted
without the package that is judged (`crossed`), which is the one that counts. Every package has been
looked at when evidence was chosen, so that `crossed` is still kinder than code nobody has seen.

heldout.tsv holds labels of twenty-one more packages. Nothing is fitted to them, and no rule may be
changed after a look at one of them: they are scored by hand at the beginning and at the end of a
tuning (docs/decisions/0029-what-a-failure-is-about.md and 0030 have the figures).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from audits.silent.handlers import Verdict, verdicts
from audits.silent.sinks import Loudness
from audits.silent.weighing import REPORTED, SURE
from busctl.audit import Confidence, Finding, Source
from busctl.audit.examining import UNREADABLE, Examined, conclude, examine
from busctl.audit.registry import rules
from tests.conditions.corpus import literals
from tests.conditions.corpus.fitting import Row, crossed, example, keys_of
from tests.conditions.corpus.packages import LARGE, unpack, unpacked
from tests.conditions.corpus.scoring import Label, Score, handlers_hit, labels, score

Hits = frozenset[tuple[str, str, int]]
LABELS = labels(Path(__file__).with_name("silent.tsv"))
HELD_OUT = labels(Path(__file__).with_name("heldout.tsv"))
SOURCES = sorted({row.source for row in LABELS})
_MANY = 60
_COUNTED = Counter(row.source for row in LABELS)
_ALSO = {row.source for row in literals.labels()}
AUTHORS = frozenset({"celery", "litellm", "mcp", "websockets"})
"""Labelled by the author of the question, in his way."""
PART = [
    each for each in SOURCES
    if each.partition("==")[0] in AUTHORS
    or (_COUNTED[each] >= _MANY and each in _ALSO and not each.startswith(LARGE))
]  # fmt: skip
"""What is fetched and judged without --whole-corpus: packages with many labels and with labelled
literals, which are fetched anyway."""
RULES = [rule for rule in rules() if rule.family == "silent" and rule.default]
# What was reached on the part and on the whole, less a little for labels that lie on the edge.
FLOORS = {
    "fitted": (0.44, 0.67),
    "fitted, high": (0.74, 0.34),
    "crossed": (0.41, 0.65),
    "crossed, high": (0.67, 0.31),
}


def _text(source: str, path: str) -> str:
    return (unpacked(source) / path).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Looked:
    """What the labelled files of a package gave: those that could not be read, what the findings
    of a confidence hit, and every label with its evidence; None where it is spared before anything
    is weighed, or on no handler."""

    unread: list[str]
    hits: dict[Confidence, Hits]
    judged: list[tuple[Row | None, Label]]


def _look(source: str) -> Looked:
    paths = sorted({row.path for row in LABELS if row.source == source})
    examined: list[Examined] = [examine(path, _text(source, path), RULES) for path in paths]
    found = conclude(examined, RULES)
    return Looked(
        [one.path for one in found if one.code == UNREADABLE],
        {each: _hits(source, found, each) for each in (Confidence.LOW, Confidence.HIGH)},
        list(_judged(source)),
    )


def _hits(source: str, findings: list[Finding], wanted: Confidence) -> Hits:
    lines: defaultdict[str, set[int]] = defaultdict(set)
    for finding in findings:
        if finding.confidence.rank >= wanted.rank:
            lines[finding.path].add(finding.span.line)
    return frozenset(
        (source, path, line)
        for path, some in lines.items()
        for line in handlers_hit(_text(source, path), some)
    )


@pytest.fixture(scope="module")
def looked(request: pytest.FixtureRequest) -> dict[str, Looked]:
    sources = SOURCES if request.config.getoption("--whole-corpus") else PART
    unpack(sources)
    with ProcessPoolExecutor(max_workers=2) as workers:
        return dict(zip(sources, workers.map(_look, sources), strict=True))


def judged() -> list[tuple[Row | None, Label]]:
    """Every label with its evidence, for fitting by hand."""
    unpack(SOURCES)
    return [each for source in SOURCES for each in _judged(source)]


def _judged(source: str) -> Iterator[tuple[Row | None, Label]]:
    rows = [row for row in LABELS if row.source == source and row.label != "unsure"]
    for path in sorted({row.path for row in rows}):
        by_line = {
            each.case.one.node.lineno: each
            for each in verdicts(Source(path, _text(source, path)))
        }  # fmt: skip
        for row in rows:
            if row.path == path:
                yield _row(row, by_line.get(row.line)), row


def _row(label: Label, verdict: Verdict | None) -> Row | None:
    if verdict is None or not verdict.code or verdict.case.reaction.level is Loudness.INFO:
        return None
    return Row(keys_of(verdict.case), label.label == "silent", label.source)


def examples() -> list[Row]:
    """The rules' own examples, as far as handlers in them are weighed."""
    rows = []
    for rule in RULES:
        for text, fault in [
            *((one, True) for one in rule.BAD),
            *((one, False) for one in rule.GOOD),
        ]:
            for each in verdicts(Source("example.py", text)) if isinstance(text, str) else ():
                if each.code and (not fault or each.code == rule.code):
                    rows.append(example(each.case, fault=fault))
    return rows


@pytest.mark.timeout(900)
def test_every_label_is_of_a_file_that_was_looked_at(looked: dict[str, Looked]) -> None:
    assert [path for each in looked.values() for path in each.unread] == []
    assert len(LABELS) >= 5600
    assert len(_labelled(PART)) >= 1500


def test_no_package_that_is_held_out_is_fitted_to() -> None:
    held = {row.source.partition("==")[0] for row in HELD_OUT}
    assert held
    assert not held & {source.partition("==")[0] for source in SOURCES}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", ["fitted", "fitted, high"])
def test_the_figures_do_not_fall(which: str, looked: dict[str, Looked]) -> None:
    confidence = Confidence.HIGH if which.endswith("high") else Confidence.LOW
    hits = frozenset(hit for each in looked.values() for hit in each.hits[confidence])
    _held(which, score(_labelled(looked), hits))
    for source in looked if which != "fitted, high" else ():
        print(f"  {source}: {score(_labelled([source]), hits)}")


@pytest.mark.timeout(900)
def test_weights_carry_over_to_packages_they_have_not_seen(looked: dict[str, Looked]) -> None:
    all_rows = [one for each in looked.values() for one in each.judged]
    weighed = [(row, label) for row, label in all_rows if row is not None]
    scores = crossed([row for row, _ in weighed], examples())
    for which, least in (("crossed", REPORTED), ("crossed, high", SURE)):
        hits = frozenset(
            (label.source, label.path, label.line)
            for (_, label), reached in zip(weighed, scores, strict=True) if reached >= least
        )  # fmt: skip
        _held(which, score([label for _, label in all_rows], hits))


def _labelled(sources: Iterable[str]) -> list[Label]:
    wanted = frozenset(sources)
    return [row for row in LABELS if row.source in wanted]


def _held(which: str, reached: Score) -> None:
    print(f"\n{which}: {reached}")
    precision, recall = FLOORS[which]
    assert reached.precision >= precision
    assert reached.recall >= recall
