"""Evidence from what is at stake: money, access, settings, what somebody handed in."""

from __future__ import annotations

from audits.silent.case import Case
from audits.silent.category import ignores_setting, reads_environment, retries
from audits.silent.done import handed
from audits.silent.exceptions import Kind
from audits.silent.origin import of_environment
from audits.silent.words import CONFIG, MONEY, STORAGE, all_words, words

_SETTING = CONFIG | {"configured"}


def environment(case: Case) -> str:
    set_there = ignores_setting(case) and reads_environment(case)
    return "what an operator set is parsed here" if set_there else ""


def near_environment(case: Case) -> str:
    """The value, a call or the function itself is of the environment, by its name."""
    named = "env" in case.setting.said or any("env" in words(name) for name in case.work.calls)
    asked = of_environment(case.asked) if case.asked else False
    return "it is about the environment" if named or asked else ""


def set_by_somebody(case: Case) -> str:
    """What is given to the calls, or the function, is about settings by its name."""
    if case.kind is not Kind.SHAPE:
        return ""
    given = [*sorted(handed(case)), case.setting.name]
    named = next((name for name in given if words(name) & _SETTING), "")
    return f"{named} was set by somebody" if named else ""


def handed_in(case: Case) -> str:
    wanted = case.asked and case.kind in (Kind.SHAPE, Kind.EVERYTHING)
    return f"{case.asked} was handed in by somebody" if wanted else ""


def configured(case: Case) -> str:
    """A part of the configuration, by the words of what is parsed, or a module's constant."""
    wanted = handed_in(case) and (all_words(case.asked) & _SETTING or case.asked.isupper())
    return f"{case.asked} is configuration" if wanted else ""


def money(case: Case) -> str:
    said = case.setting.said | case.setting.holder
    return "money is at stake" if said & MONEY else ""


def named(case: Case) -> str:
    """Access, a limit or money, by the function's own name."""
    return f"{case.stake} is at stake" if case.stake not in ("", "configuration") else ""


def storage(case: Case) -> str:
    kept = case.setting.holder & (STORAGE | {"models", "vector", "memory", "registry"})
    return "this part of the program keeps data" if kept else ""


def last_attempt(case: Case) -> str:
    return "the last attempt fails like the others, unseen" if retries(case) else ""
