"""How findings are counted against labels."""

from __future__ import annotations

import pytest

from tests.conditions.corpus.scoring import Label, Score, handlers_hit, score, wilson

TEXT = """\
try:
    a()
except ValueError:
    try:
        b()
    except KeyError:
        pass
except OSError:
    pass
with suppress(
    OSError
):
    c()
"""


@pytest.mark.parametrize(
    ("line", "hit"),
    [
        (3, {3}), (5, {3, 5}), (7, {6, 7}), (6, {6}), (4, {3, 4, 6}), (1, {1, 3, 8}), (9, {8, 9}),
        (10, {10}), (13, {13}),
    ],
)  # fmt: skip
def test_a_finding_counts_for_the_innermost_handler(line: int, hit: set[int]) -> None:
    assert handlers_hit(TEXT, [line]) == hit


def test_unsure_rows_are_left_out() -> None:
    rows = [
        Label("p==1", "a.py", line, label, "")
        for line, label in enumerate(("silent", "silent", "benign", "visible", "unsure"), start=1)
    ]
    hits = frozenset({("p==1", "a.py", 1), ("p==1", "a.py", 4), ("p==1", "a.py", 5)})
    assert score(rows, hits) == Score(found=1, false=1, missed=1)


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 0) == (0.0, 1.0)
