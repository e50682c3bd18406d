"""Which rules are run and which findings are kept: flags, over `[tool.busctl.audit]`, over all."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from busctl.audit.engine import RULES as ENGINE
from busctl.audit.model import Confidence, Finding
from busctl.audit.patterns import is_pattern, matchable, spec_of
from busctl.audit.rule import Rule


class OptionsError(Exception):
    """A selector or a setting that means nothing; the text names it and the nearest right one."""


@dataclass(frozen=True, slots=True)
class PathOptions:
    """For the paths that match `pattern`, as in .gitignore."""

    pattern: str
    ignore: tuple[str, ...] = ()
    min_confidence: Confidence = Confidence.LOW


@dataclass(frozen=True, slots=True)
class Options:
    """The table `[tool.busctl.audit]`. `select` empty means every rule that is on by default."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    min_confidence: Confidence = Confidence.LOW
    baseline: str | None = None
    per_path: tuple[PathOptions, ...] = ()


_TABLE = ("tool", "busctl", "audit")
_KEYS = ("select", "ignore", "exclude", "min-confidence", "baseline", "per-path")


def options_in(root: Path) -> Options:
    """What pyproject.toml in `root` says; the defaults without one. Raises OptionsError."""
    file = root / "pyproject.toml"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Options()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionsError(f"{file}: {error}") from error
    except OSError as error:
        raise OptionsError(f"{file} cannot be read: {error.strerror or error}") from error
    found: Any = table
    for at, key in enumerate(_TABLE, 1):
        found = found.get(key, {})
        if not isinstance(found, dict):
            raise OptionsError(f"{file}: {'.'.join(_TABLE[:at])} is no table")
    return _options(found, file)


def _options(table: Mapping[str, Any], file: Path) -> Options:
    for key in table:
        if key not in _KEYS:
            raise OptionsError(f"{file}: tool.busctl.audit has no key {key!r}{_near(key, _KEYS)}")
    baseline = table.get("baseline")
    if baseline is not None and not isinstance(baseline, str):
        raise OptionsError(f"{file}: baseline is the path of a file, not {baseline!r}")
    per_path = table.get("per-path", {})
    if not isinstance(per_path, dict):
        raise OptionsError(f"{file}: per-path is a table of patterns")
    return Options(
        select=_texts(table, "select", file), ignore=_texts(table, "ignore", file),
        exclude=_patterns(_texts(table, "exclude", file), file),
        min_confidence=_confidence(table.get("min-confidence"), file), baseline=baseline,
        per_path=tuple(_path_options(pattern, one, file) for pattern, one in per_path.items()),
    )  # fmt: skip


def _path_options(pattern: str, table: Any, file: Path) -> PathOptions:
    if not isinstance(table, dict) or not {"ignore", "min-confidence"}.issuperset(table):
        raise OptionsError(
            f"{file}: per-path {pattern!r} takes a table with ignore and min-confidence"
        )
    least = _confidence(table.get("min-confidence"), file)
    _patterns([pattern], file)
    return PathOptions(pattern, _texts(table, "ignore", file), least)


def _patterns(patterns: Sequence[str], file: Path) -> tuple[str, ...]:
    for one in patterns:
        if not is_pattern(one):
            raise OptionsError(f"{file}: {one!r} is no pattern as in .gitignore")
    return tuple(patterns)


def _texts(table: Mapping[str, Any], key: str, file: Path) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise OptionsError(f"{file}: {key} is a list of texts, not {value!r}")
    return tuple(value)


def _confidence(value: Any, file: Path) -> Confidence:
    if value is None:
        return Confidence.LOW
    try:
        return Confidence(value)
    except ValueError as error:
        raise OptionsError(
            f"{file}: min-confidence is low, medium or high, not {value!r}"
        ) from error


def choose(
    rules: Sequence[Rule], select: Iterable[str], ignore: Iterable[str], family: str | None = None
) -> list[Rule]:
    """The rules to run. A selector is a code, the beginning of one, a name or a family. Raises
    OptionsError for one that means no rule, and when no rule is left: what runs none looks clean.
    """
    wanted = [rule for rule in rules if family is None or rule.family == family]
    chosen = list(select)
    if chosen:
        picked = {rule.code for one in chosen for rule in _meant(rules, one)}
        wanted = [rule for rule in wanted if rule.code in picked]
    else:
        wanted = [rule for rule in wanted if rule.default]
    left_out = {rule.code for one in ignore for rule in _meant(rules, one)}
    run = [rule for rule in wanted if rule.code not in left_out]
    if not run and not (chosen and any(_is_of_engine(one) for one in chosen)):
        of = f" of the family {family}" if family else ""
        raise OptionsError(f"no rule{of} is left by what is selected and ignored")
    return run


def _meant(rules: Sequence[Rule], selector: str) -> list[Rule]:
    found = [rule for rule in rules if _means(selector, rule.code, rule.name, rule.family)]
    if found or _is_of_engine(selector):
        return found
    known = {each for rule in rules for each in (rule.code, rule.name, rule.family)}
    raise OptionsError(f"no rule is called {selector!r}{_near(selector, sorted(known))}")


def _is_of_engine(selector: str) -> bool:
    return any(_means(selector, one.code, one.name, one.family) for one in ENGINE)


def _means(selector: str, code: str, name: str, family: str) -> bool:
    return selector.upper() == "ALL" or code.startswith(selector.upper()) or selector in (
        name, family,
    )  # fmt: skip


def _near(text: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(text, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def kept(
    findings: Iterable[Finding], options: Options, rules: Sequence[Rule]
) -> list[Finding]:  # fmt: skip
    """Those that are sure enough, and not ignored for their path or by their code. `rules` are all
    that are installed. Raises OptionsError for an ignored rule that is none."""
    families = {rule.code: rule.family for rule in rules}
    for each in (each for one in options.per_path for each in one.ignore):
        _meant(rules, each)
    specs = [(spec_of([one.pattern]), one) for one in options.per_path]
    result = []
    for finding in findings:
        here = [one for spec, one in specs if spec.match_file(matchable(finding.path))]
        least = max([options.min_confidence, *(one.min_confidence for one in here)], key=_rank)
        ignored = [*options.ignore, *(each for one in here for each in one.ignore)]
        family = families.get(finding.code, "engine")
        is_ignored = any(_means(one, finding.code, finding.name, family) for one in ignored)
        if not is_ignored and finding.confidence.rank >= least.rank:
            result.append(finding)
    return result


def _rank(confidence: Confidence) -> int:
    return confidence.rank
