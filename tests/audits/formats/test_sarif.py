"""SARIF: as its schema wants it, and as GitHub reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings

from busctl.audit import Confidence, Severity
from busctl.audit.formats import FORMATS
from busctl.audit.outcome import Outcome
from busctl.audit.registry import rules
from tests.audits.formats.json_schema import faults
from tests.audits.outcomes import finding, outcome, outcomes

SCHEMA = json.loads(
    (Path(__file__).parent / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8")
)  # fmt: skip


def run_of(told: Outcome) -> dict[str, Any]:
    log = json.loads(FORMATS["sarif"](told))
    assert list(faults(log, SCHEMA, SCHEMA)) == []
    (run,) = log["runs"]
    shape: dict[str, Any] = run
    return shape


def test_the_check_finds_what_is_wrong() -> None:
    log = json.loads(FORMATS["sarif"](outcome(finding(), not_looked_at=(("x.py", "locked"),))))
    assert list(faults(log, SCHEMA, SCHEMA)) == []
    log["runs"][0]["results"][0]["level"] = "fatal"
    log["runs"][0]["results"][0]["rank"] = 101
    log["runs"][0]["results"][0]["partialFingerprints"]["x"] = 1
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    log["runs"][0]["columnKind"] = "bytes"
    log["runs"][0]["tool"]["driver"]["colour"] = "red"
    del log["runs"][0]["tool"]["driver"]["name"]
    log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"] = {}
    assert len(list(faults(log, SCHEMA, SCHEMA))) == 8


def test_a_result() -> None:
    run = run_of(outcome(finding(severity=Severity.NOTE, confidence=Confidence.MEDIUM)))
    (result,) = run["results"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["id"] == result["ruleId"] == "XX001"
    assert result["ruleIndex"] == 0
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert rule["shortDescription"]["text"] == "An error becomes a value."
    assert "Let the error pass." in rule["help"]["text"]
    assert (result["level"], result["rank"]) == ("note", 60)
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "app/load.py", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 4, "startColumn": 2, "endLine": 4, "endColumn": 8}
    assert run["columnKind"] == "unicodeCodePoints"
    assert result["partialFingerprints"]["busctlFingerprint/v1"] == finding().fingerprint


def test_paths_are_uris() -> None:
    paths = ["a b/ü.py", "c:d.py", "100%.py", "bad\udcff.py", "/elsewhere/x.py"]
    results = run_of(outcome(*(finding(path) for path in paths)))["results"]
    places = [one["locations"][0]["physicalLocation"]["artifactLocation"] for one in results]
    assert [place["uri"] for place in places] == [
        "a%20b/%C3%BC.py", "c%3Ad.py", "100%25.py", "bad%FF.py", "file:///elsewhere/x.py",
    ]  # fmt: skip
    assert "uriBaseId" not in places[-1]


def test_what_was_not_looked_at_is_said() -> None:
    run = run_of(outcome(checked=0, not_looked_at=(("x.py", "locked"),)))
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    (note,) = invocation["toolExecutionNotifications"]
    assert "locked" in note["message"]["text"]


def test_the_code_under_audit_makes_no_links() -> None:
    (result,) = run_of(outcome(finding(message="see [x](http://example.org)")))["results"]
    assert result["message"]["text"].startswith(r"see \[x\](http://example.org)")


@given(outcomes())
@settings(max_examples=60, deadline=None)
def test_any_outcome_is_valid(told: Outcome) -> None:
    run = run_of(told)
    assert len(run["results"]) == len(told.findings)
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_github_finds_what_it_requires() -> None:
    """The properties GitHub documents as required under "SARIF support for code scanning"
    (Supported SARIF output file properties), and its bounds on text."""
    engine = finding(code="AU001")
    log = json.loads(FORMATS["sarif"](outcome(finding(), engine)))
    assert set(log) >= {"$schema", "version", "runs"}
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    for rule in driver["rules"]:
        assert len(rule["id"]) <= 255
        assert len(rule["name"]) <= 255
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["text"]
        assert len(rule["properties"]["tags"]) <= 20
    for result in run["results"]:
        assert result["message"]["text"]
        assert 0 < len(result["locations"]) <= 10
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"]
        assert set(place["region"]) == {"startLine", "startColumn", "endLine", "endColumn"}


def test_every_rule_keeps_to_githubs_bounds() -> None:
    for rule in rules():
        assert len(rule.summary) <= 1024
        assert len(rule.why) <= 1024
