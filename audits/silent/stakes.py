"""Evidence from what is at stake: money, access, settings, what somebody handed in."""

from __future__ import annotations

from audits.silent.case import Case
from audits.silent.category import ignores_setting, reads_environment, retries
from audits.silent.exceptions import Kind
from audits.silent.words import CONFIG, MONEY, STORAGE, words


def environment(case: Case) -> str:
    set_there = ignores_setting(case) and reads_environment(case)
    return "what an operator set is parsed here" if set_there else ""


def handed_in(case: Case) -> str:
    wanted = case.asked and case.kind in (Kind.SHAPE, Kind.EVERYTHING)
    return f"{case.asked} was handed in by somebody" if wanted else ""


def argument(case: Case) -> str:
    wanted = case.argument and case.kind is Kind.SHAPE
    return f"the caller handed in {case.argument}" if wanted else ""


def money(case: Case) -> str:
    said = case.setting.said | case.setting.holder
    return "money is at stake" if said & MONEY else ""


def near(case: Case) -> str:
    """Access, a limit or money, by the function's name or what it calls and sets."""
    if case.near and case.near != "configuration" and not named(case):
        return f"{case.near} may be at stake"
    return ""


def named(case: Case) -> str:
    """The same by the function's own name, which says more."""
    return f"{case.stake} is at stake" if case.stake not in ("", "configuration") else ""


def configuration(case: Case) -> str:
    called = {word for name in case.work.calls for word in words(name)}
    return "configuration is at stake" if (case.setting.said | called) & CONFIG else ""


def storage(case: Case) -> str:
    kept = case.setting.holder & (STORAGE | {"models", "vector", "memory"})
    return "this part of the program keeps data" if kept else ""


def module_level(case: Case) -> str:
    return "it runs where the module is loaded" if case.one.function is None else ""


def last_attempt(case: Case) -> str:
    return "the last attempt fails like the others, unseen" if retries(case) else ""
