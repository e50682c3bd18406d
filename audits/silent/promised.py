"""Evidence from where it stands: what its function is for, and what is said about it."""

from __future__ import annotations

import ast
import re

from audits.silent.case import Case
from audits.silent.category import reads_environment
from audits.silent.done import is_real
from audits.silent.words import BESIDE, words

_MEANT = re.compile(
    r"best[- ]effort|never (?:raise|fail|break|block)|(?:must|should) not (?:fail|break|raise|"
    r"block|prevent|disturb)|non[- ]?critical|not critical|(?:don'?t|do not|never) (?:fail|break|"
    r"block|let)|swallow|silently|(?:non|not)[- ]?fatal|fail[- ]?open|fall(?:s|ing)? ?back|"
    r"harmless|degrade|tolerat\w+|if possible|gracefully|\bsafely\b|cosmetic|ignor(?:e|ing) "
    r"(?:any |all )?(?:errors|exceptions|failures)|absorb",
    re.IGNORECASE,
)

_NAMED = {
    "none": re.compile(r"\bnone\b"), "false": re.compile(r"\bfalse\b"),
    "empty": re.compile(r"\bempty\b|\bzero\b|\b0\b|\[\]|\{\}|\bnothing\b"),
    "other": re.compile(r"default|fall"),
}  # fmt: skip


def commented(case: Case) -> str:
    return "a comment speaks of it" if case.comment else ""


def meant(case: Case) -> str:
    """The docstring or comment says that a failure is meant to be harmless."""
    if reads_environment(case):  # what a docstring says of other failures is not about settings
        return ""
    return "the docstring says it may fail" if _MEANT.search(case.setting.docstring) else ""


def contract(case: Case) -> str:
    """The docstring names the very value that stands in."""
    told = case.setting.docstring.lower()
    if not told or case.reaction.effect != "return":
        return ""
    value = case.reaction.value
    kept = _NAMED[
        "none" if value is None or (isinstance(value, ast.Constant) and value.value is None)
        else "false" if isinstance(value, ast.Constant) and value.value is False
        else "empty" if is_real(value)
        else "other"
    ].search(told)  # fmt: skip
    return f"the docstring speaks of {kept.group()}" if kept else ""


def beside(case: Case) -> str:
    """Receipts, indicators, housekeeping: the call or the function is beside the work."""
    said = words(case.work.main) | case.setting.said
    return "what is tried is beside the work" if said & BESIDE else ""


def in_handler(case: Case) -> str:
    return "it stands where an error is handled already" if case.setting.in_handler else ""
