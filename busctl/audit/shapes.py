"""What was seen of a file as JSON and back: for the cache, and between processes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from busctl.audit.allowances import Allowance
from busctl.audit.examining import Examined
from busctl.audit.model import Confidence, Finding, Severity, Span


def packed(examined: Examined) -> bytes:
    """As UTF-8 JSON."""
    return json.dumps(
        {
            "path": examined.path,
            "findings": [_finding_shape(one) for one in examined.findings],
            "facts": examined.facts,
            "allowances": [asdict(one) for one in examined.allowances],
            "looked_at": examined.looked_at,
        },
        separators=(",", ":"),
    ).encode("utf-8", "surrogatepass")


def unpacked(data: bytes) -> Examined:
    """What `packed` made it from. Raises ValueError or KeyError for anything else."""
    shape = json.loads(data)
    return Examined(
        path=shape["path"],
        findings=tuple(_finding(one) for one in shape["findings"]),
        facts=shape["facts"],
        allowances=tuple(
            Allowance(tuple(one["codes"]), one["reason"], one["line"], one["at"], one["column"])
            for one in shape["allowances"]
        ),
        looked_at=shape["looked_at"],
    )


def _finding_shape(finding: Finding) -> dict[str, Any]:
    span = finding.span
    return {
        "code": finding.code, "name": finding.name, "path": finding.path,
        "span": [span.line, span.column, span.end_line, span.end_column],
        "message": finding.message, "severity": finding.severity,
        "confidence": finding.confidence, "remedy": finding.remedy, "evidence": finding.evidence,
        "symbol": finding.symbol, "anchor": finding.anchor, "asks": finding.asks,
    }  # fmt: skip


def _finding(shape: dict[str, Any]) -> Finding:
    return Finding(**{
        **shape, "span": Span(*shape["span"]), "severity": Severity(shape["severity"]),
        "confidence": Confidence(shape["confidence"]), "evidence": tuple(shape["evidence"]),
    })  # fmt: skip
