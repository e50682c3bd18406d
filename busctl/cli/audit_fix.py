"""`busctl audit --fix` and `--diff`: mend what rules can mend, or show how."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from busctl.audit.difference import unified_diff
from busctl.audit.fixing import Mended, mend, write
from busctl.audit.replacing import replace_file
from busctl.audit.rule import Rule
from busctl.audit.source import Source
from busctl.cli.running import say
from busctl.ops.audit import Audited

NOTHING_LOOKED_AT = 3


def fix_and_show(audited: Audited, *, only_show: bool) -> int:
    """Mend the files (or print what would change); the exit code: 0 when nothing is left."""
    outcome = audited.outcome
    if not outcome.checked:
        say("busctl: nothing was looked at: no Python or SQL file there can be read.")
        return NOTHING_LOOKED_AT
    rules = {rule.code: rule for rule in outcome.rules}
    applied = files = 0
    moved: dict[str, tuple[str, str]] = {}
    for path, findings in groupby(outcome.findings, key=lambda one: one.path):
        if not path.endswith(".py"):
            continue
        file = audited.root / path
        try:
            mended = mend(path, file.read_bytes(), list(findings), rules)
        except (SyntaxError, ValueError, LookupError) as error:
            say(f"{path}: left as it is: {error}")
            continue
        if mended.broken is not None:
            say(f"{path}: left as it is: {mended.broken.message}")
        for finding, why in mended.left:
            say(f"{path}:{finding.span.line}: {finding.code} not mended: {why}")
        if only_show:
            sys.stdout.write(unified_diff(mended))
        else:
            write(file, mended)
            moved |= _moved(mended, rules)
        applied += len(mended.applied)
        files += mended.changed
    _document(audited.root / ".env.example", moved)
    left = len(outcome.findings) - applied
    would = "would be " if only_show else ""
    say(f"{applied:,} findings {would}mended in {files:,} files, {left:,} left.")
    return 1 if left or (only_show and applied) else 0


def _moved(mended: Mended, rules: Mapping[str, Rule]) -> dict[str, tuple[str, str]]:
    """The variables that the mended file now reads: where each was, and its value."""
    source = Source(mended.path, mended.before.decode(mended.encoding))
    found = {}
    for finding in mended.applied:
        if variable := rules[finding.code].moved(source, finding):
            name, value = variable
            found[name] = (f"{finding.path} {finding.symbol}".rstrip(), value)
    return found


def _document(file: Path, moved: Mapping[str, tuple[str, str]]) -> None:
    """Add what is not there yet to the .env example: a variable nobody knows of sets nothing. What
    is there stays byte for byte, whatever its encoding and line ends."""
    before = file.read_bytes() if file.is_file() else b""
    text = before.decode("utf-8", "surrogateescape")
    named = {line.partition("=")[0].strip("# ") for line in text.splitlines()}
    new = {name: told for name, told in moved.items() if name not in named}
    if not new:
        return
    lines = [f"# Read in {where}.\n{name}={value}\n" for name, (where, value) in new.items()]
    gap = "" if not text or text.endswith("\n") else "\n"
    more = f"{gap}{''.join(lines)}".replace("\n", "\r\n" if "\r\n" in text else "\n")
    replace_file(file, before + more.encode("utf-8", "surrogateescape"))
    say(f"{len(new):,} variables added to {file.name}: {', '.join(sorted(new))}")
