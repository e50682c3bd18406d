"""How the weights of audits/silent/evidence.py are found, and how well they carry over.

Logistic regression on the evidence that holds for each labelled handler, with a penalty that keeps
weights small. The rules' own examples count as much: where labels are few they say what is meant.
`crossed` fits on all packages but some and judges those, in turns, so that no handler is judged by
weights that have seen its package.

    python -m tests.conditions.corpus.fitting     # prints the weights that the labels give today
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from audits.silent.case import Case
from audits.silent.evidence import GRAVE, WEIGHED

_PENALTY = 2.0
# What is known without labels, from what a loss of these costs.
_EXPECTED = {"money": 1.0, "named": 0.7, "commits": 0.7, "keeps_state": 0.4, "of_database": 0.5}
_ROUNDS = 8
_EXAMPLE = 1.0
_FOLDS = 16
KEYS = tuple(one.key for one in WEIGHED)
_GIVEN = {one.key: one.weight for one in GRAVE}


@dataclass(frozen=True, slots=True)
class Row:
    """One handler: the keys of the evidence that holds, whether it is a fault, where it is from."""

    keys: frozenset[str]
    fault: bool
    source: str
    weight: float = 1.0


def keys_of(case: Case) -> frozenset[str]:
    """The keys of all evidence that holds."""
    return frozenset(one.key for one in (*GRAVE, *WEIGHED) if one.say(case))


def example(case: Case, *, fault: bool) -> Row:
    """A row from a rule's own example."""
    return Row(keys_of(case), fault, "examples", _EXAMPLE)


def fit(rows: Sequence[Row]) -> Mapping[str, float]:
    """The weight of each key, and the bias under ""."""
    order = {key: place for place, key in enumerate(("", *KEYS))}
    places = [[0, *(order[key] for key in row.keys if key in order)] for row in rows]
    weights = [_EXPECTED.get(key, 0.0) for key in order]
    expected = list(weights)
    given = [sum(_GIVEN.get(key, 0.0) for key in row.keys) for row in rows]
    for _ in range(_ROUNDS):  # Newton's steps: a handful is enough
        slope = [_PENALTY * (mean - one) for one, mean in zip(weights, expected, strict=True)]
        slope[0] = 0.0
        curve = [[0.0] * len(order) for _ in order]
        for place in range(1, len(order)):
            curve[place][place] = _PENALTY
        for row, held, base in zip(rows, places, given, strict=True):
            likely = 1 / (1 + math.exp(-base - sum(weights[place] for place in held)))
            missed, bend = row.weight * (row.fault - likely), row.weight * likely * (1 - likely)
            for place in held:
                slope[place] += missed
                line = curve[place]
                for other in held:
                    line[other] += bend
        step = _solved(curve, slope)
        weights = [one + more for one, more in zip(weights, step, strict=True)]
    return {key: weights[place] for key, place in order.items()}


def _solved(curve: list[list[float]], slope: list[float]) -> list[float]:
    """Solve the linear equations by elimination: the matrix is symmetric and positive."""
    size = len(slope)
    lines = [[*line, end] for line, end in zip(curve, slope, strict=True)]
    for place in range(size):
        head = lines[place]
        for other in range(place + 1, size):
            factor = lines[other][place] / head[place]
            if factor:
                line = lines[other]
                for column in range(place, size + 1):
                    line[column] -= factor * head[column]
    found = [0.0] * size
    for place in reversed(range(size)):
        rest = sum(lines[place][column] * found[column] for column in range(place + 1, size))
        found[place] = (lines[place][size] - rest) / lines[place][place]
    return found


def score(keys: Iterable[str], weights: Mapping[str, float]) -> float:
    """The sum that `weigh` would reach with these weights."""
    return weights[""] + sum(_GIVEN.get(key, weights.get(key, 0.0)) for key in keys)


def crossed(rows: Sequence[Row], examples: Sequence[Row]) -> list[float]:
    """The score of each row by weights that were fitted without its package."""
    sources = sorted({row.source for row in rows})
    found: dict[int, float] = {}
    for fold in range(_FOLDS):
        out = set(sources[fold::_FOLDS])
        weights = fit([*(row for row in rows if row.source not in out), *examples])
        for number, row in enumerate(rows):
            if row.source in out:
                found[number] = score(row.keys, weights)
    return [found[number] for number in range(len(rows))]


def _main() -> None:
    from tests.conditions.corpus.test_silent import examples, judged

    weights = fit([*(row for row, _ in judged() if row is not None), *examples()])
    for key, weight in sorted(weights.items(), key=lambda each: each[1]):
        print(f"{weight:6.2f}  {key or 'bias'}")


if __name__ == "__main__":
    _main()
