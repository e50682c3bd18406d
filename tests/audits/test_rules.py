"""Each rule's own examples hold, and what it says about itself is complete."""

from __future__ import annotations

import re

import pytest

from busctl.audit import Example, Rule
from busctl.audit.registry import rules
from tests.audits.examples import findings_of

RULES = rules()
GOOD = [
    pytest.param(rule, example, id=f"{rule.code}-good-{number}")
    for rule in RULES
    for number, example in enumerate(rule.GOOD)
]
BAD = [
    pytest.param(rule, example, id=f"{rule.code}-bad-{number}")
    for rule in RULES
    for number, example in enumerate(rule.BAD)
]


@pytest.mark.parametrize(("rule", "example"), GOOD)
def test_a_good_example_is_left_alone(rule: Rule, example: Example | str) -> None:
    assert findings_of(rule, example) == []


@pytest.mark.parametrize(("rule", "example"), BAD)
def test_a_bad_example_is_found_once(rule: Rule, example: Example | str) -> None:
    (found,) = findings_of(rule, example)
    assert found.message
    assert found.remedy


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_describes_itself(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z]{2}\d{3}", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert rule.summary
    assert rule.why
    assert rule.remedy
    assert rule.GOOD
    assert rule.BAD


def test_names_are_unique() -> None:
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
