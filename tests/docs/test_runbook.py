"""docs/runbook.md names every finding that `busctl check` has and no other, and every drill."""

from __future__ import annotations

import re

from busctl.ops.check import CHECKS, kinds_of
from busctl.ops.drill import DRILLS
from tests.docs.examples import DOCS

ROW = re.compile(r"^\| `([a-z]+\.[a-z_]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_every_finding_has_its_row_under_its_check() -> None:
    text = (DOCS / "runbook.md").read_text("utf-8")
    for one in CHECKS:
        section = text.partition(f"\n## {one.name}\n")[2].partition("\n## ")[0]
        rows = {kind: (means, remedy) for kind, means, remedy in ROW.findall(section)}
        assert rows.keys() == kinds_of([one]).keys()
        assert all(means.endswith(".") and remedy.endswith(".") for means, remedy in rows.values())


def test_every_drill_has_its_section() -> None:
    text = (DOCS / "runbook.md").read_text("utf-8").partition("\n## Drills\n")[2]
    sections = re.findall(r"^### ([a-z-]+)\n\n((?:[- ] .*\n)+)", text, re.MULTILINE)
    assert [name for name, _ in sections] == [one.name for one in DRILLS]
    for _, said in sections:
        assert re.findall(r"^- \*\*(\w+(?: \w+)?)\*\*:", said, re.MULTILINE) == [
            "Happens", "You see", "Proves",
        ]  # fmt: skip
