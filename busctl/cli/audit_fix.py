"""`busctl audit --fix` and `--diff`: mend what rules can mend, or show how."""

from __future__ import annotations

import sys
from itertools import groupby

from busctl.audit.difference import unified_diff
from busctl.audit.fixing import mend, write
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
    for path, findings in groupby(outcome.findings, key=lambda one: one.path):
        if not path.endswith(".py"):
            continue
        file = audited.root / path
        try:
            mended = mend(path, file.read_bytes(), list(findings), rules)
        except (SyntaxError, ValueError) as error:
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
        applied += len(mended.applied)
        files += mended.changed
    left = len(outcome.findings) - applied
    would = "would be " if only_show else ""
    say(f"{applied:,} findings {would}mended in {files:,} files, {left:,} left.")
    return 1 if left or (only_show and applied) else 0
