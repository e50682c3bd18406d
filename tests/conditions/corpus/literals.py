"""Scoring the rules on hardcoded values against hand-labelled literals, by exact line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from busctl.audit import Finding, Rule
from busctl.audit.examining import Examined, conclude, examine
from tests.conditions.corpus.packages import unpacked

LABELS = Path(__file__).with_name("config.tsv")
# Labelled after the rules had been written, looked at once, and not used to change them. Whoever
# changes a rule for one of these moves the source to those tuned on, and labels another.
HELD_OUT = frozenset({
    "arxiv-mcp-server", "borgmatic", "camel-ai", "chromadb", "crewai", "dbgpt-app", "embedchain",
    "flexget", "flower", "fschat", "guardrails-ai", "homeassistant", "kinto", "llama-stack",
    "maubot", "mcp-agent", "mcp-use", "mcpo", "memori", "nanobot-ai", "opsdroid", "pr-agent",
    "serena-agent", "txtai",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Label:
    """A literal that somebody read: `label` is config (a positive), fine or unsure."""

    source: str
    path: str
    line: int
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Score:
    """What was found of what was labelled."""

    found: int
    false: int
    missed: int

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false)

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed)

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.2f} at recall {self.recall:.2f} "
            f"({self.found} found, {self.false} false, {self.missed} missed)"
        )


def labels() -> list[Label]:
    """All labels, in the order of the file."""
    with LABELS.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Label(row["source"], row["path"], int(row["line"]), row["label"], row["reason"])
            for row in rows
        ]


def is_held_out(source: str) -> bool:
    """Whether the rules were not tuned on a source."""
    return source.partition("==")[0] in HELD_OUT


def findings(source: str, paths: Iterable[str], rules: Sequence[Rule]) -> list[Finding]:
    """The findings in these files of a package. The others are looked at only where they name
    a constant that a finding asks about: nothing else of theirs can matter to it."""
    root = unpacked(source)
    examined = {path: _examined(root, path, rules) for path in sorted(set(paths))}
    asked = {
        str(finding.asks["name"])
        for each in examined.values() for finding in each.findings if finding.asks
    }  # fmt: skip
    for file in sorted(root.rglob("*.py")):
        path = file.relative_to(root).as_posix()
        if path not in examined:
            text = file.read_text(encoding="utf-8", errors="replace")
            if any(name in text for name in asked):
                examined[path] = examine(path, text, rules)
    return conclude(examined.values(), rules)


def _examined(root: Path, path: str, rules: Sequence[Rule]) -> Examined:
    return examine(path, (root / path).read_text(encoding="utf-8", errors="replace"), rules)


def score(of: Iterable[Label], found: set[tuple[str, str, int]]) -> Score:
    """Labels against found (source, path, line); what is unsure counts for nothing."""
    hits = {"config": 0, "fine": 0}
    missed = 0
    for each in of:
        hit = (each.source, each.path, each.line) in found
        if hit and each.label in hits:
            hits[each.label] += 1
        missed += each.label == "config" and not hit
    return Score(hits["config"], hits["fine"], missed)
