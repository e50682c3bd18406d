"""JUnit XML: a test suite for each file with findings, a failed case for each finding.

Files without findings are one passing case together; a file not looked at is a case in error.
"""

from __future__ import annotations

import re
from itertools import groupby
from xml.etree.ElementTree import Element, indent, tostring  # written here, never read

from busctl.audit.formats.characters import counted, encodable
from busctl.audit.model import Finding
from busctl.audit.outcome import Outcome

# All that XML 1.0 forbids even as a character reference.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(outcome: Outcome) -> str:
    failed, missed = len(outcome.findings), len(outcome.not_looked_at)
    root = _element(
        "testsuites", name="busctl audit", tests=str(failed + missed + 1),
        failures=str(failed), errors=str(missed + (not outcome.checked)),
    )  # fmt: skip
    root.append(_looked_at(outcome))
    for path, findings in groupby(outcome.findings, key=lambda one: one.path):
        root.append(_file(path, list(findings)))
    for path, why in outcome.not_looked_at:
        root.append(_not_looked_at(path, why))
    indent(root)
    body = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _looked_at(outcome: Outcome) -> Element:
    wrong = not outcome.checked
    suite = _suite("busctl audit", tests=1, errors=int(wrong))
    name = f"{counted(outcome.checked, 'file')} looked at"
    case = _element("testcase", classname="busctl audit", name=name)
    if wrong:
        case.append(_element("error", message="Nothing was looked at."))
    suite.append(case)
    return suite


def _file(path: str, findings: list[Finding]) -> Element:
    suite = _suite(path, tests=len(findings), failures=len(findings))
    for one in findings:
        case = _element(
            "testcase", classname=path, file=path, line=str(one.span.line),
            name=f"{one.code} {one.name} {one.span.line}:{one.span.column}",
        )  # fmt: skip
        failure = _element("failure", type=one.severity.value, message=one.message)
        failure.text = _clean(_details(one))
        case.append(failure)
        suite.append(case)
    return suite


def _details(finding: Finding) -> str:
    where = f"{finding.path}:{finding.span.line}:{finding.span.column}"
    return "\n".join([
        where, finding.message, f"confidence: {finding.confidence.value}",
        *(f"evidence: {each}" for each in finding.evidence), f"remedy: {finding.remedy}",
        f"fingerprint: {finding.fingerprint}",
    ])  # fmt: skip


def _not_looked_at(path: str, why: str) -> Element:
    suite = _suite(path, tests=1, errors=1)
    case = _element("testcase", classname=path, file=path, name="not looked at")
    case.append(_element("error", message=why))
    suite.append(case)
    return suite


def _suite(name: str, *, tests: int, failures: int = 0, errors: int = 0) -> Element:
    return _element(
        "testsuite", name=name, tests=str(tests), failures=str(failures), errors=str(errors),
        skipped="0",
    )  # fmt: skip


def _element(tag: str, **attributes: str) -> Element:
    return Element(tag, {name: _clean(value) for name, value in attributes.items()})


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", encodable(text))
