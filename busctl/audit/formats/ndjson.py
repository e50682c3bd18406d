"""JSON, one value a line: each finding as in `json` with `"type": "finding"`, and at the end a line
`{"type": "summary", "version": 1, …}` by which a reader knows that nothing was cut off."""

from __future__ import annotations

import json

from busctl.audit.formats.json import shapes, summary
from busctl.audit.outcome import Outcome


def render(outcome: Outcome) -> str:
    found = shapes(outcome)
    values = [{"type": "finding", **one} for one in found]
    values.append({"type": "summary", **summary(outcome), "findings": len(found)})
    return "".join(f"{json.dumps(value)}\n" for value in values)
