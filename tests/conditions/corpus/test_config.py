"""How sure the rules on hardcoded values are, on labelled literals of published packages."""

from __future__ import annotations

from collections import defaultdict

import pytest

from busctl.audit.registry import rules
from tests.conditions.corpus.literals import Label, findings, is_held_out, labels, score
from tests.conditions.corpus.packages import LARGE, unpack

CODES = {f"CF00{number}" for number in range(1, 8)}
# What was reached, less a little: a fall below is a change for the worse.
TUNED_ON = {"precision": 0.90, "recall": 0.85}
HELD_OUT = {"precision": 0.83, "recall": 0.88}
Found = set[tuple[str, str, int]]


@pytest.fixture(scope="module")
def looked_at(request: pytest.FixtureRequest) -> list[Label]:
    """All labels, but for those in large packages without --whole-corpus."""
    every = request.config.getoption("--whole-corpus")
    return [each for each in labels() if every or not each.source.startswith(LARGE)]


@pytest.fixture(scope="module")
def found(looked_at: list[Label]) -> Found:
    """Where the rules find something, in every file that has a label."""
    paths: dict[str, set[str]] = defaultdict(set)
    for each in looked_at:
        paths[each.source].add(each.path)
    unpack(paths)
    used = [rule for rule in rules() if rule.code in CODES]
    return {
        (source, finding.path, finding.span.line)
        for source, labelled in paths.items()
        for finding in findings(source, labelled, used)
    }


@pytest.mark.slow
@pytest.mark.timeout(900)  # the packages may have to be downloaded first
@pytest.mark.parametrize(
    ("held_out", "floor"), [(False, TUNED_ON), (True, HELD_OUT)], ids=["tuned-on", "held-out"]
)
def test_precision_and_recall(
    looked_at: list[Label], found: Found, held_out: bool, floor: dict[str, float],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    part = [each for each in looked_at if is_held_out(each.source) is held_out]
    reached = score(part, found)
    with capsys.disabled():
        print(f"\nconfig, {'held out' if held_out else 'tuned on'}: {reached}")
    assert reached.precision >= floor["precision"], str(reached)
    assert reached.recall >= floor["recall"], str(reached)


def test_every_label_is_one_of_three() -> None:
    assert {each.label for each in labels()} == {"config", "fine", "unsure"}
    assert len({(each.source, each.path, each.line) for each in labels()}) > 200
