"""Evidence from where it stands: what its function is for, and what is said about it."""

from __future__ import annotations

import ast
import re

from audits.silent.case import Case
from audits.silent.category import reads_environment
from audits.silent.done import is_real
from audits.silent.words import CACHE

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
    "empty": re.compile(r"\bempty\b|\bnone\b|\bzero\b|\b0\b|\[\]|\{\}|\bnothing\b"),
    "other": re.compile(r"default|fall"),
}  # fmt: skip


_OTHER_WAY = re.compile(
    r"\bfall(?:s|ing)?[- ]?backs?\b|\bback to\b|\bmissing\b|\babsent\b", re.IGNORECASE
)
_OF_USERS = re.compile(r"\b(?:users?|custom|explicit(?:ly)?|supplied|configured)\b", re.IGNORECASE)


_REASONED = re.compile(r"\b(?:not|may|can)\b", re.IGNORECASE)


def explained(case: Case) -> str:
    """A comment that says what is not, may or can be: its author has thought of the case."""
    return "a comment says why" if _REASONED.search(case.comment) else ""


def meant(case: Case) -> str:
    """The docstring says that a failure is meant to be harmless.

    It is not believed where a value is returned, which has a contract of its own, nor for settings.
    """
    if reads_environment(case) or case.reaction.effect == "return":
        return ""
    return "the docstring says it may fail" if _MEANT.search(case.setting.docstring) else ""


def contract(case: Case) -> str:
    """The docstring names the very value that stands in, and no log is told of it."""
    told = case.setting.docstring.lower()
    if not told or case.reaction.effect != "return" or case.debugged:
        return ""
    value = case.reaction.value
    kept = _NAMED[
        "none" if value is None or (isinstance(value, ast.Constant) and value.value is None)
        else "false" if isinstance(value, ast.Constant) and value.value is False
        else "empty" if is_real(value)
        else "other"
    ].search(told)  # fmt: skip
    return f"the docstring speaks of {kept.group()}" if kept else ""


def other_way(case: Case) -> str:
    """The docstring knows of the case: what is missing, and where it falls back to."""
    told = _OTHER_WAY.search(case.setting.docstring)
    return f"the docstring knows of it ({told.group().lower()})" if told else ""


def for_users(case: Case) -> str:
    """What somebody chose is at work here, by the docstring."""
    told = _OF_USERS.search(case.setting.docstring)
    return f"it is about what somebody chose ({told.group().lower()})" if told else ""


def asks(case: Case) -> str:
    probes = case.setting.probes and case.work.returns
    return f"{case.setting.name} by its name asks or tries" if probes else ""


def caches(case: Case) -> str:
    cached = (case.setting.said | case.setting.holder) & CACHE
    return "what a cache has not is made again" if cached else ""


def in_handler(case: Case) -> str:
    return "it stands where an error is handled already" if case.setting.in_handler else ""
