"""Evidence from where it stands: what its function is for, and what is said about it."""

from __future__ import annotations

import re

from audits.silent.case import Case
from audits.silent.category import reads_environment
from audits.silent.words import BESIDE, INTERFACE, MACHINE, words

_MEANT = re.compile(
    r"best[- ]effort|never (?:raise|fail|break|block)|(?:must|should) not (?:fail|break|raise|"
    r"block|prevent|disturb)|non[- ]?critical|not critical|(?:don'?t|do not|never) (?:fail|break|"
    r"block|let)|swallow|silently|(?:non|not)[- ]?fatal|fail[- ]?open|fall(?:s|ing)? ?back|"
    r"harmless|degrade|tolerat\w+|if possible|gracefully|\bsafely\b|cosmetic|ignor(?:e|ing) "
    r"(?:any |all )?(?:errors|exceptions|failures)|absorb",
    re.IGNORECASE,
)


def commented(case: Case) -> str:
    return "a comment speaks of it" if case.comment else ""


def expected(case: Case) -> str:
    return "a comment says it is expected" if case.expected else ""


def meant(case: Case) -> str:
    """The docstring or comment says that a failure is meant to be harmless."""
    if reads_environment(case):  # what a docstring says of other failures is not about settings
        return ""
    return "the docstring says it may fail" if _MEANT.search(case.setting.docstring) else ""


def makes_sense(case: Case) -> str:
    reads = case.setting.reads and case.work.only_parses
    return f"{case.setting.name} makes sense of a text, or does not" if reads else ""


def caches(case: Case) -> str:
    return "a cache" if case.setting.caches else ""


def measures(case: Case) -> str:
    return "telemetry" if case.setting.measures else ""


def beside(case: Case) -> str:
    """Receipts, indicators, housekeeping: the call or the function is beside the work."""
    said = words(case.work.main) | case.setting.said
    return "what is tried is beside the work" if said & BESIDE else ""


def for_people(case: Case) -> str:
    shown = (case.setting.said | case.setting.holder) & INTERFACE
    return "a part of what people look at" if shown else ""


def of_machine(case: Case) -> str:
    """Facts on the machine that may well be missing: its hardware, versions, processes."""
    said = words(case.work.main) | case.setting.said
    return "a fact on the machine that may be missing" if said & MACHINE else ""


def in_handler(case: Case) -> str:
    return "it stands where an error is handled already" if case.setting.in_handler else ""
