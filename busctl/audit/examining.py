"""From one file's text to findings and facts, and from those of all files to what is reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from busctl.audit.allowances import Allowance, allowances_of, apply
from busctl.audit.discovery import CODE
from busctl.audit.model import Confidence, Finding, Severity, Span
from busctl.audit.project import Project
from busctl.audit.rule import Facts, Rule
from busctl.audit.source import Source

UNREADABLE = "AU001"


@dataclass(frozen=True, slots=True)
class Examined:
    """What one file gave, without its tree: small enough to be kept for every file."""

    path: str
    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    allowances: tuple[Allowance, ...] = ()
    looked_at: bool = True


def examine(path: str, text: str, rules: Sequence[Rule]) -> Examined:
    """Look at one file. One that cannot be parsed is a finding, and counts as not looked at."""
    wanted = [rule for rule in rules if path.endswith(rule.suffixes)]
    if not wanted and not path.endswith(CODE):
        return unreadable(path, ValueError("its name ends as neither Python's nor SQL's do"))
    if not path.endswith((".py", ".pyi")):
        return _examined_text(path, text, wanted)
    try:
        return _examined(Source(path, text), wanted, facts_wanted(rules))
    except (SyntaxError, ValueError) as error:
        return unreadable(path, error)
    except RecursionError:
        return unreadable(path, ValueError("nested too deep"))


def _examined(source: Source, rules: Sequence[Rule], kinds: Sequence[type[Facts]]) -> Examined:
    found = [finding for rule in rules for finding in rule.check(source)]
    facts = {}
    for kind in kinds:
        collected = kind().collect(source)
        if collected is not None:
            facts[kind.__name__] = collected
    return Examined(source.path, tuple(found), facts, tuple(allowances_of(source)))


def _examined_text(path: str, text: str, rules: Sequence[Rule]) -> Examined:
    found = [finding for rule in rules for finding in rule.check_text(path, text)]
    return Examined(path, tuple(found))


def facts_wanted(rules: Iterable[Rule]) -> list[type[Facts]]:
    """Each kind once, in the order the rules name them."""
    return list(dict.fromkeys(kind for rule in rules for kind in rule.needs))


def conclude(
    examined: Iterable[Examined], rules: Sequence[Rule], texts: Mapping[str, str] | None = None,
    allowed: list[Finding] | None = None, *, whole: bool = True,
) -> list[Finding]:  # fmt: skip
    """The findings of the whole project, in the order of path and line; those that are allowed are
    added to `allowed` instead. `whole`: whether that is all code of the project."""
    seen = sorted(examined, key=lambda one: one.path)
    project = project_of(seen, texts, whole=whole)
    by_code = {rule.code: rule for rule in rules}
    settled: list[Finding] = []
    for finding in (each for one in seen for each in one.findings):
        rule = by_code.get(finding.code)
        outcome = rule.settle(finding, project) if rule and finding.asks else finding
        if outcome is not None:
            settled.append(outcome)
    for rule in rules:
        settled.extend(rule.check_project(project))
    checked = {one for rule in rules for one in (rule.code, rule.name)}
    by_path = {one.path: one.allowances for one in seen}
    kept = apply(_one_each(settled), by_path, checked, [] if allowed is None else allowed)
    return _numbered(sorted(kept, key=_place))


def project_of(
    examined: Iterable[Examined], texts: Mapping[str, str] | None = None, *, whole: bool = True
) -> Project:
    """What all files together say."""
    by_kind: dict[str, dict[str, Any]] = {}
    for one in examined:
        for kind, facts in one.facts.items():
            by_kind.setdefault(kind, {})[one.path] = facts
    return Project(by_kind, texts, whole=whole)


def _place(finding: Finding) -> tuple[str, int, int, str]:
    return finding.path, finding.span.line, finding.span.column, finding.code


def _one_each(findings: Iterable[Finding]) -> list[Finding]:
    """One fault is one finding: of two of one family that begin at one place, the surer one."""
    best: dict[tuple[str, int, int, str], Finding] = {}
    for finding in findings:
        key = (finding.path, finding.span.line, finding.span.column, finding.code[:2])
        other = best.get(key)
        if other is None or (finding.confidence.rank, -_weight(finding)) > (
            other.confidence.rank, -_weight(other)
        ):  # fmt: skip
            best[key] = finding
    return list(best.values())


def _weight(finding: Finding) -> int:
    return list(Severity).index(finding.severity)


def _numbered(findings: Iterable[Finding]) -> list[Finding]:
    """Those that would share a fingerprint are told apart by their order."""
    seen: Counter[tuple[str, str, str, str]] = Counter()
    numbered = []
    for finding in findings:
        key = (finding.code, finding.path, finding.symbol, finding.anchor)
        numbered.append(replace(finding, occurrence=seen[key]))
        seen[key] += 1
    return numbered


def unreadable(path: str, error: Exception) -> Examined:
    """A file that cannot be read or parsed: a finding, and not looked at."""
    line = getattr(error, "lineno", None) or 1
    column = max(1, getattr(error, "offset", None) or 1)
    said = getattr(error, "msg", None) or getattr(error, "strerror", None) or str(error)
    finding = Finding(
        code=UNREADABLE, name="unreadable-file", path=path, span=Span(line, column, line, column),
        message=f"This cannot be read ({said or type(error).__name__}): nothing in it was looked "
        "at.",
        severity=Severity.ERROR, confidence=Confidence.HIGH,
        remedy="Correct it, or leave it out with `exclude`.",
    )  # fmt: skip
    return Examined(path, (finding,), looked_at=False)
