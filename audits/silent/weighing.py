"""How much speaks for a fault: each weight has its evidence, and the sum decides."""

from __future__ import annotations

import ast
import re

from audits.silent.case import Case
from audits.silent.category import (
    eats_cancellation,
    fails_open,
    ignores_setting,
    reads_environment,
    retries,
)  # fmt: skip
from audits.silent.exceptions import Kind
from audits.silent.origin import of_environment
from audits.silent.sparing import skips_an_alternative
from audits.silent.words import CACHE, EXPECTED, FAILURE, TRIVIA, group, words
from audits.silent.work import joined

_WORD = re.compile(r"[A-Za-z]+")
_GENERAL = group("headers header data payload body args arguments get query form")
REPORTED = 2.0
LIKELY = 3.0
SURE = 3.5


def weigh(case: Case) -> None:
    """Collect the evidence."""
    _what_it_is(case)
    _what_is_caught(case)
    _what_is_tried(case)
    _what_is_done(case)
    _what_is_promised(case)
    _what_is_at_stake(case)


def _what_it_is(case: Case) -> None:
    if fails_open(case):
        case.weigh(4.0, f"{case.setting.name} lets through what it could not check")
    if eats_cancellation(case):
        case.weigh(2.0, "it catches the cancellation around an await")
    if ignores_setting(case) and reads_environment(case):
        case.weigh(1.5, "what an operator set is parsed here")
    if skips_an_alternative(case):
        case.weigh(6.0, "the first lookup that misses skips the second")
    if retries(case):
        case.weigh(1.0, "the last attempt fails like the others, unseen")


def _what_is_caught(case: Case) -> None:
    if case.kind is Kind.EVERYTHING:
        case.weigh(1.5, f"catches {case.caught}, expected or not")
    elif case.kind is Kind.OUTSIDE:
        case.weigh(1.0, f"{case.caught} is a failure of something outside")
    elif case.kind is Kind.SIGNAL:
        case.weigh(-1.0, f"{case.caught} is one named case")
    elif case.kind is Kind.ABSENCE and not _called_failure(case):
        case.weigh(-1.0, f"{case.caught}: nothing there")


def _what_is_tried(case: Case) -> None:
    done = case.work
    if done.writes:
        case.weigh(1.5, f"{joined(done.writes)}() changes what others read")
    elif done.reads or done.awaits:
        case.weigh(1.0, f"{joined(done.reads) or 'an await'} asks something outside")
    elif done.others:
        case.weigh(0.5, f"calls {joined(done.others)}()")
    elif done.only_parses and case.kind is Kind.EVERYTHING:
        case.weigh(-0.5, "only reads a value")
    elif not done.parses and not _called_failure(case):
        case.weigh(-1.0, "only looks into values it holds")


def _called_failure(case: Case) -> bool:
    return bool(case.reaction.quiet and FAILURE.search(case.reaction.said))


def _what_is_done(case: Case) -> None:
    found = case.reaction
    if _called_failure(case):
        case.weigh(2.0, "its own log calls it a failure, at a level nobody sees")
    elif found.quiet:
        case.weigh(-0.5, "the log does not call it a failure")
    if found.quiet and EXPECTED.search(found.said):
        case.weigh(-2.5, "the log says it was expected or another way follows")
    if found.quiet and _about(found.said):
        case.weigh(-1.5, "the log speaks of a cache or of something beside the work")
    if found.effect == "return":
        case.weigh(0.0, f"returns {case.default} instead")
    elif found.effect == "continue":
        case.weigh(0.5, "skips the item")
    elif found.effect == "assign" and not case.setting.whole:
        case.weigh(0.5, f"goes on with {case.default}")
    if _is_fast_path(case):
        case.weigh(-2.0, "where it works it returns; another way follows")
    if getattr(case.one.statement, "orelse", None) and found.effect == "pass":
        case.weigh(-1.0, "an else clause goes on only where it worked")


def _is_fast_path(case: Case) -> bool:
    """The try ends the function when it works, and the function goes on when it does not."""
    tried = getattr(case.one.statement, "body", [])
    return bool(
        tried and isinstance(tried[-1], ast.Return) and case.after
        and case.reaction.effect in ("pass", "act", "assign")
    )  # fmt: skip


def _about(message: str) -> bool:
    return bool({each.lower() for each in _WORD.findall(message)} & (TRIVIA | CACHE))


def _what_is_promised(case: Case) -> None:
    here = case.setting
    lookup = case.kind <= Kind.SHAPE or (case.kind is Kind.OUTSIDE and case.work.local)
    if here.whole and lookup and not case.debugged and not reads_environment(case):
        case.weigh(-1.5, "the function is this lookup and its default")
    if here.optional and _gives_none(case) and not case.work.outside:
        case.weigh(-0.5, f"{here.name} is declared to return None")
    if here.reads and case.work.only_parses and not case.asked:
        case.weigh(-1.5, f"{here.name} makes sense of a text, or does not")
    if here.documented and not case.debugged:
        case.weigh(-1.0, "the docstring promises the default")
    if case.expected:
        case.weigh(-1.0, "a comment says it is expected")
    elif case.comment and not case.debugged:
        case.weigh(-0.25, "a comment speaks of it")
    _what_it_is_for(case)


def _what_it_is_for(case: Case) -> None:
    here = case.setting
    if here.probes and case.reaction.effect == "return":
        case.weigh(-1.0, f"{here.name} asks a question")
    if here.caches:
        case.weigh(-1.0, "a cache")
    if here.trivial:
        case.weigh(-2.0, f"{here.name} is beside the program's work")
    if here.measures:
        case.weigh(-1.5, "telemetry")


def _gives_none(case: Case) -> bool:
    value = case.reaction.value
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _what_is_at_stake(case: Case) -> None:
    if case.stake and case.stake != "configuration":
        case.weigh(1.0, f"{case.stake} is at stake")
    elif case.stake and not case.work.local:
        case.weigh(0.5, f"{case.stake} is at stake")
    elif case.near and case.near != "configuration":
        case.weigh(0.5, f"{case.near} is near")
    if case.asked and case.kind in (Kind.SHAPE, Kind.EVERYTHING):
        general = words(case.asked) <= _GENERAL and not of_environment(case.asked)
        case.weigh(1.0 if general else 1.5, f"{case.asked} was handed in by somebody")
    elif case.argument and case.kind is Kind.SHAPE and _goes_on(case):
        case.weigh(1.0, f"the caller handed in {case.argument}")
    if case.kind is Kind.SHAPE and case.work.parses and _goes_on(case):
        case.weigh(1.0, "the function goes on without the value")
    if looks_real(case.reaction.value) and not case.setting.probes:
        case.weigh(0.75, f"{case.default} looks like a real answer")


def _goes_on(case: Case) -> bool:
    """In the midst of other work, not in a function that is there to read values."""
    return (
        case.reaction.effect in ("pass", "assign", "act")
        and not case.setting.whole and not case.setting.reads and bool(case.after)
    )  # fmt: skip


def looks_real(value: ast.expr | None) -> bool:
    """An empty list or a zero stands in, which no reader can tell from a real one."""
    if isinstance(value, ast.Tuple) and value.elts:
        return all(looks_real(each) for each in value.elts)
    if isinstance(value, (ast.List, ast.Set, ast.Tuple)):
        return not value.elts
    if isinstance(value, ast.Dict):
        return not value.keys
    return (
        isinstance(value, ast.Constant)
        and value.value is not None and not isinstance(value.value, bool) and not value.value
    )  # fmt: skip
