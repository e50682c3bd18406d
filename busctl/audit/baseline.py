"""The baseline: findings that were there when a project began to be audited.

A JSON file, sorted, one finding a line without its message, so that it merges and its changes read
as what they are: `{"busctl-audit-baseline": 1, "findings": [{"fingerprint", "code", "path"}]}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from busctl.audit.model import Finding
from busctl.audit.replacing import replace_file
from busctl.core.errors import ConfigurationError

KIND = "busctl-audit-baseline"
VERSION = 1
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


class BaselineError(ConfigurationError):
    """The file cannot be read, or is no baseline."""

    code = "BASELINE"
    default_remedy = "Name a file that `busctl audit --baseline FILE --update-baseline` wrote."


@dataclass(frozen=True, slots=True, order=True)
class Known:
    """One finding of a baseline."""

    path: str
    code: str
    fingerprint: str


class Split(NamedTuple):
    """`new` findings are not in the baseline, `known` are, `gone` is no longer found."""

    new: tuple[Finding, ...]
    known: tuple[Finding, ...]
    gone: tuple[Known, ...]


Baseline = tuple[Known, ...]


def read(path: Path) -> Baseline:
    """The baseline in a file. Raises BaselineError."""
    try:
        shape = json.loads(path.read_bytes())
    except OSError as error:
        raise BaselineError(
            f"The baseline {path} cannot be read: {error.strerror or error}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{path} is no baseline: it is not JSON ({error}).") from error
    if not isinstance(shape, dict) or KIND not in shape:
        raise BaselineError(f'{path} is no baseline: it has no "{KIND}".')
    if shape[KIND] != VERSION or isinstance(shape[KIND], bool):
        raise BaselineError(
            f"{path} is a baseline of version {shape[KIND]!r}; this busctl reads {VERSION}.",
            remedy="Upgrade busctl, or write the baseline again with --update-baseline.",
        )
    findings = shape.get("findings")
    if not isinstance(findings, list):
        raise BaselineError(f'{path} is no baseline: its "findings" are no list.')
    return tuple(sorted({_known(path, number, one) for number, one in enumerate(findings, 1)}))


def _known(path: Path, number: int, shape: Any) -> Known:
    names = ("path", "code", "fingerprint")
    parts = [shape.get(name) for name in names] if isinstance(shape, dict) else []
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) == len(names) and _FINGERPRINT.fullmatch(texts[2]):
        return Known(*texts)
    raise BaselineError(
        f"{path} is no baseline: its finding {number} has no path, code and fingerprint."
    )


def write(path: Path, findings: Iterable[Finding | Known]) -> None:
    """Write the baseline of these findings, or nothing at all. Raises FileFailed."""
    replace_file(path, written(findings).encode())


def written(findings: Iterable[Finding | Known]) -> str:
    """The baseline as text: the same for the same findings in any order."""
    known = sorted({_as_known(one) for one in findings})
    lines = [
        json.dumps({"fingerprint": one.fingerprint, "code": one.code, "path": one.path})
        for one in known
    ]
    body = "\n" + ",\n".join(f"    {line}" for line in lines) + "\n  " if lines else ""
    return f'{{\n  "{KIND}": {VERSION},\n  "findings": [{body}]\n}}\n'


def _as_known(one: Finding | Known) -> Known:
    return one if isinstance(one, Known) else Known(one.path, one.code, one.fingerprint)


def split(
    findings: Iterable[Finding],
    baseline: Iterable[Known],
    looked_at: Callable[[Known], bool] = lambda _: True,
) -> Split:
    """Compare. What was not looked at in this run (`looked_at` of it is false: another path, a rule
    that was not selected) is never gone."""
    before = tuple(baseline)
    prints = {one.fingerprint for one in before}
    now = tuple(findings)
    there = {one.fingerprint for one in now}
    return Split(
        tuple(one for one in now if one.fingerprint not in prints),
        tuple(one for one in now if one.fingerprint in prints),
        tuple(one for one in before if one.fingerprint not in there and looked_at(one)),
    )


def updated(
    findings: Iterable[Finding],
    baseline: Iterable[Known],
    looked_at: Callable[[Known], bool] = lambda _: True,
) -> Baseline:
    """The next baseline: what is found now, and what was known and not looked at in this run."""
    kept = (one for one in baseline if not looked_at(one))
    return tuple(sorted({*kept, *(_as_known(one) for one in findings)}))
