"""github, ndjson, json and gitlab: each finding arrives whole, whatever it holds."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings

from busctl.audit import Finding, Severity
from busctl.audit.formats import FORMATS
from busctl.audit.outcome import Outcome
from tests.audits.outcomes import finding, outcome, outcomes

HALF = re.compile("[\ud800-\udfff]")
KEYS = {
    "code", "name", "family", "path", "relative_path", "line", "column", "end_line", "end_column",
    "message", "severity", "confidence", "evidence", "remedy", "symbol", "fingerprint",
}  # fmt: skip


# --- github ------------------------------------------------------------------------------------


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Workflow commands as the runner reads them: kind, properties, message."""
    found = []
    for line in re.split(r"[\r\n]", text):
        if match := re.fullmatch(r"::(\w+) (.*?)::(.*)", line, re.DOTALL):
            pairs = (each.partition("=") for each in match[2].split(","))
            properties = {name: undone(value, ":,") for name, _, value in pairs}
            found.append((match[1], properties, undone(match[3], "")))
    return found


def undone(text: str, more: str) -> str:
    for letter in ("\r", "\n", *more, "%"):
        text = text.replace(f"%{ord(letter):02X}", letter)
    return text


def test_a_github_annotation() -> None:
    text = FORMATS["github"](outcome(finding(message="50% of a, b: lost\nfor ever")))
    assert text.splitlines()[0] == (
        "::error file=app/load.py,line=4,col=2,endLine=4,title=XX001 swallowed::"
        "50%25 of a, b: lost%0Afor ever%0Ano caller looks%0ALet the error pass.%0A(high confidence)"
    )


def test_github_gets_no_columns_for_several_lines() -> None:
    ((_, properties, _),) = commands(FORMATS["github"](outcome(finding(line=2, end_line=4))))
    assert properties == {
        "file": "app/load.py", "line": "2", "endLine": "4", "title": "XX001 swallowed",
    }  # fmt: skip


def test_a_hostile_path_stays_in_its_property() -> None:
    text = FORMATS["github"](outcome(finding("a,line=9::error::x\n::debug::y.py")))
    ((kind, properties, _),) = commands(text)
    assert kind == "error"
    assert properties["file"] == "a,line=9::error::x\n::debug::y.py"
    assert properties["line"] == "4"


def test_nothing_looked_at_is_an_error_on_github() -> None:
    assert commands(FORMATS["github"](outcome(checked=0)).replace("title", "t"))[0][0] == "error"


@given(outcomes())
@settings(max_examples=60, deadline=None)
def test_github_reads_what_was_written(told: Outcome) -> None:
    read = commands(FORMATS["github"](told))
    assert len(read) == len(told.findings) + len(told.not_looked_at) + (not told.checked)
    for one, (kind, properties, message) in zip(told.findings, read, strict=False):
        assert kind == {"note": "notice"}.get(one.severity.value, one.severity.value)
        assert properties["file"] == HALF.sub("\ufffd", one.path)
        assert message.startswith(HALF.sub("\ufffd", one.message))


# --- json and ndjson ---------------------------------------------------------------------------


def same(shape: dict[str, Any], one: Finding) -> bool:
    return bool(
        shape["relative_path"] == paired(one.path) and shape["message"] == paired(one.message)
        and shape["evidence"] == [*map(paired, one.evidence)]
        and shape["fingerprint"] == one.fingerprint
        and shape["line"] == one.span.line and shape["end_column"] == one.span.end_column
    )  # fmt: skip


def paired(text: str) -> str:
    """JSON knows halves by two and two alone: a pair of them is one letter."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(outcomes())
@settings(max_examples=50, deadline=None)
def test_json_keeps_everything(told: Outcome) -> None:
    text = FORMATS["json"](told)
    assert text.isascii()
    shape = json.loads(text)
    assert set(shape) == {"version", "checked", "not_looked_at", "allowed", "known", "findings"}
    assert shape["version"] == 1
    assert shape["checked"] == told.checked
    assert [(one["path"], one["why"]) for one in shape["not_looked_at"]] == [
        (paired(path), paired(why)) for path, why in told.not_looked_at
    ]
    assert len(shape["findings"]) == len(told.findings)
    assert all(map(same, shape["findings"], told.findings))
    assert all(set(one) == KEYS for one in shape["findings"])


def test_json_names_the_family() -> None:
    shape = json.loads(FORMATS["json"](outcome(finding(), finding(code="AU001"), known=2)))
    assert [one["family"] for one in shape["findings"]] == ["silent", "engine"]
    assert shape["known"] == 2


@given(outcomes())
@settings(max_examples=50, deadline=None)
def test_ndjson_has_a_line_for_each_and_an_end(told: Outcome) -> None:
    lines = FORMATS["ndjson"](told).split("\n")
    assert lines.pop() == ""
    *found, last = map(json.loads, lines)
    assert all(map(same, found, told.findings))
    assert last["type"] == "summary"
    assert last["findings"] == len(found) == len(told.findings)
    assert last["version"] == 1


# --- gitlab ------------------------------------------------------------------------------------


def test_a_gitlab_issue() -> None:
    (issue,) = json.loads(FORMATS["gitlab"](outcome(finding())))
    assert issue == {
        "description": "XX001: `load` returns {}. Let the error pass.",
        "check_name": "swallowed",
        "fingerprint": finding().fingerprint,
        "severity": "critical",
        "location": {"path": "app/load.py", "lines": {"begin": 4, "end": 4}},
    }


@given(outcomes())
@settings(max_examples=50, deadline=None)
def test_gitlab_gets_each_fingerprint_once(told: Outcome) -> None:
    issues = json.loads(FORMATS["gitlab"](told))
    prints = [issue["fingerprint"] for issue in issues]
    assert len(prints) == len(set(prints))
    assert {issue["severity"] for issue in issues} <= {"critical", "major", "info"}
    assert set(prints) == {one.fingerprint for one in told.findings}


# --- all ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
@given(told=outcomes())
@settings(max_examples=25, deadline=None)
def test_every_form_is_text_that_can_be_written(name: str, told: Outcome) -> None:
    text = FORMATS[name](told)
    text.encode()
    assert text.endswith("\n")
    assert text == FORMATS[name](told)


@pytest.mark.parametrize("name", FORMATS)
def test_every_form_names_the_fault(name: str) -> None:
    text = FORMATS[name](outcome(finding(severity=Severity.WARNING)))
    for part in ("app/load.py", "4", "swallowed", "Let the error pass."):
        assert part in text
