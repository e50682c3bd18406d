"""SARIF 2.1.0, as GitHub's code scanning and editors read it.

Paths are relative to %SRCROOT%, the checkout, or the audited folder where there is none; columns
count code points from 1; `rank` is the confidence (90, 60, 30). Both fingerprints are the finding's
own: it survives moved lines, and `primaryLocationLineHash` is the name under which GitHub looks for
one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from busctl.audit.formats.characters import encodable
from busctl.audit.model import Confidence, Finding, Severity, Span
from busctl.audit.outcome import Outcome
from busctl.audit.rule import Rule

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "%SRCROOT%"
RANKS = {Confidence.HIGH: 90.0, Confidence.MEDIUM: 60.0, Confidence.LOW: 30.0}
PROBLEMS = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "recommendation",
}

Shape = dict[str, Any]


def render(outcome: Outcome) -> str:
    rules = _descriptors(outcome)
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {"name": "busctl audit", "version": version("busctl"), "rules": rules},
        },
        "invocations": [_invocation(outcome)],
        "originalUriBaseIds": {
            ROOT: {
                "description": _message(
                    "The checkout, or the folder that was audited where there is none."
                )
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, places[one.code], outcome) for one in outcome.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


# --- rules -------------------------------------------------------------------------------------


def _descriptors(outcome: Outcome) -> list[Shape]:
    """Those of the rules that ran, and of what the engine itself says, by code."""
    found = {rule.code: _descriptor(rule) for rule in outcome.rules}
    for one in outcome.findings:
        found.setdefault(one.code, _of_engine(one))
    return [found[code] for code in sorted(found)]


def _descriptor(rule: Rule) -> Shape:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": _message(rule.summary),
        "fullDescription": _message(rule.why),
        "help": {
            "text": f"{rule.why}\n\n{rule.remedy}",
            "markdown": f"{rule.why}\n\n**Remedy.** {rule.remedy}\n",
        },
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {
            "tags": [rule.family, "correctness"],
            "problem.severity": PROBLEMS[rule.severity],
        },
    }


def _of_engine(finding: Finding) -> Shape:
    return {
        "id": finding.code,
        "name": finding.name,
        "shortDescription": _message(finding.name.replace("-", " ").capitalize() + "."),
        "fullDescription": _message(finding.remedy or finding.name),
        "help": {"text": finding.remedy},
        "defaultConfiguration": {"level": finding.severity.value},
        "properties": {"tags": ["engine"], "problem.severity": PROBLEMS[finding.severity]},
    }


# --- results -----------------------------------------------------------------------------------


def _result(finding: Finding, place: int, outcome: Outcome) -> Shape:
    return {
        "ruleId": finding.code,
        "ruleIndex": place,
        "level": finding.severity.value,
        "rank": RANKS[finding.confidence],
        "message": _message(f"{finding.message}\n{finding.remedy}"),
        "locations": [_location(finding, outcome)],
        "partialFingerprints": {
            "busctlFingerprint/v1": finding.fingerprint,
            "primaryLocationLineHash": f"{finding.fingerprint}:1",
        },
        "properties": {
            "confidence": finding.confidence.value,
            "evidence": [encodable(each) for each in finding.evidence],
        },
    }


def _location(finding: Finding, outcome: Outcome) -> Shape:
    location: Shape = {
        "physicalLocation": {
            **_file(outcome.in_checkout(finding.path)),
            "region": _region(finding.span),
        }
    }
    if finding.symbol:
        location["logicalLocations"] = [{"fullyQualifiedName": encodable(finding.symbol)}]
    return location


def _file(path: str) -> Shape:
    """A path that is not below the folder keeps its own root."""
    uri = quote(path.encode("utf-8", "surrogateescape" if _is_bytes(path) else "replace"))
    if path.startswith("/"):
        return {"artifactLocation": {"uri": f"file://{uri}"}}
    return {"artifactLocation": {"uri": uri, "uriBaseId": ROOT}}


def _is_bytes(path: str) -> bool:
    """Whether its surrogates, if any, stand for bytes, as the operating system's names have."""
    return not any(
        "\ud800" <= letter <= "\udc7f" or "\udd00" <= letter <= "\udfff" for letter in path
    )


def _region(span: Span) -> Shape:
    return {
        "startLine": span.line, "startColumn": span.column,
        "endLine": span.end_line, "endColumn": span.end_column,
    }  # fmt: skip


# --- the run -----------------------------------------------------------------------------------


def _invocation(outcome: Outcome) -> Shape:
    shape: Shape = {"executionSuccessful": outcome.checked > 0}
    if notes := list(_notifications(outcome)):
        shape["toolExecutionNotifications"] = notes
    return shape


def _notifications(outcome: Outcome) -> Iterable[Shape]:
    for path, why in outcome.not_looked_at:
        yield {
            "level": "warning",
            "message": _message(f"Not looked at: {why}"),
            "locations": [{"physicalLocation": _file(outcome.in_checkout(path))}],
        }


def _message(text: str) -> Shape:
    """`[a](b)` in a message would be a link; braces stay, as viewers show them doubled."""
    text = encodable(text)
    return {"text": re.sub(r"([\\\[\]])", r"\\\1", text) if "](" in text else text}
