"""docs/runbook.md names every finding that `busctl check` can have, and no other."""

from __future__ import annotations

import re

from busctl.ops.check import CHECKS, kinds_of
from tests.docs.examples import DOCS

ROW = re.compile(r"^\| `([a-z]+\.[a-z_]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_every_finding_has_its_row_under_its_check() -> None:
    text = (DOCS / "runbook.md").read_text("utf-8")
    for one in CHECKS:
        section = text.partition(f"\n## {one.name}\n")[2].partition("\n## ")[0]
        rows = {kind: (means, remedy) for kind, means, remedy in ROW.findall(section)}
        assert rows.keys() == kinds_of([one]).keys()
        assert all(means.endswith(".") and remedy.endswith(".") for means, remedy in rows.values())
