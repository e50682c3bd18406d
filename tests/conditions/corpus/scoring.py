"""Precision and recall of the audit against labels made by hand.

A label names a handler by its line. A finding counts for the innermost handler it lies in (from
its `except` line to the end of its body), for every handler of a `try` whose first line it names,
and for a `suppress` anywhere from the `with` to the call.
"""

from __future__ import annotations

import ast
import csv
import math
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

POSITIVE = frozenset({"silent", "config"})
NEGATIVE = frozenset({"benign", "visible", "fine"})


@dataclass(frozen=True, slots=True)
class Label:
    """One row: what stands on `line` of `path` in `source` (PACKAGE==VERSION), as a reader saw
    it; rows that are neither positive nor negative are left out of every score."""

    source: str
    path: str
    line: int
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Score:
    """What was found, falsely found and missed."""

    found: int = 0
    false: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found + self.false else 0.0

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed) if self.found + self.missed else 0.0

    def __str__(self) -> str:
        at = wilson(self.found, self.found + self.false)
        of = wilson(self.found, self.found + self.missed)
        return (
            f"precision {self.precision:.2f} [{at[0]:.2f}, {at[1]:.2f}] "
            f"recall {self.recall:.2f} [{of[0]:.2f}, {of[1]:.2f}] "
            f"(found {self.found}, false {self.false}, missed {self.missed})"
        )


def labels(path: Path) -> list[Label]:
    """The rows of a file of labels."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        return [
            Label(row["source"], row["path"], int(row["line"]), row["label"], row["reason"])
            for row in rows
        ]


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share, 95 % by default; 0 to 1 where there is nothing to share."""
    if not of:
        return 0.0, 1.0
    share, width = hits / of, 1 + z * z / of
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    middle = share + z * z / (2 * of)
    return (middle - half) / width, (middle + half) / width


def handlers_hit(text: str, lines: Iterable[int]) -> set[int]:
    """The lines of the handlers, and any other lines, that findings on `lines` count for."""
    spans, tries = _spans(text)
    hit = set()
    for line in lines:
        around = [
            (last - first, at) for at, (first, last) in spans.items() if first <= line <= last
        ]
        hit |= {line, *({min(around)[1]} if around else ()), *tries.get(line, ())}
    return hit


@lru_cache(maxsize=500)
def _spans(text: str) -> tuple[dict[int, tuple[int, int]], Mapping[int, list[int]]]:
    spans: dict[int, tuple[int, int]] = {}
    tries: defaultdict[int, list[int]] = defaultdict(list)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of the labelled code: not ours to mend
        warnings.simplefilter("ignore", DeprecationWarning)
        tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            spans[node.lineno] = node.lineno, max(each.end_lineno or 0 for each in node.body)
        elif isinstance(node, (ast.Try, ast.TryStar)):
            tries[node.lineno] += [handler.lineno for handler in node.handlers]
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("suppress"):
                    spans.setdefault(call.lineno, (node.lineno, call.lineno))
    return spans, tries


def score(rows: Iterable[Label], hits: frozenset[tuple[str, str, int]]) -> Score:
    """Count the labels against what was hit: source, path and line."""
    found = false = missed = 0
    for row in rows:
        hit = (row.source, row.path, row.line) in hits
        if row.label in POSITIVE:
            found, missed = found + hit, missed + (not hit)
        elif row.label in NEGATIVE:
            false += hit
    return Score(found, false, missed)
