"""What speaks a handler free outright: somebody sees the error, or nothing is lost with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from audits.names import called_last
from audits.silent.aftermath import (
    another_way,
    leaves,
    loop_complains,
    noticed,
    noticed_empty,
    only_words_it,
)
from audits.silent.case import Case
from audits.silent.category import eats_cancellation, fails_open
from audits.silent.done import is_real
from audits.silent.emptied import start
from audits.silent.exceptions import Kind
from audits.silent.reaction import tells_by_return
from audits.silent.words import FAILURE, WRITE, group, words
from busctl.audit import walk

_BROWSER = group("webbrowser open_new open_new_tab")


def spared(case: Case) -> str:
    """The first reason not to report it, "" where none holds."""
    early = _elsewhere(case) or _seen(case) or _reasoned(case)
    if early:
        return early
    if fails_open(case):
        return ""
    for reason in _REASONS:
        said = reason(case)
        if said:
            return said
    return ""


def _elsewhere(case: Case) -> str:
    if case.source.is_test or case.source.is_shown:
        return "a test or an example"
    return ""


def _seen(case: Case) -> str:
    return case.reaction.seen


def _imports(case: Case) -> str:
    if case.kind is Kind.IMPORT:
        return "an optional import"
    if case.work.only_imports and not case.debugged:
        return "an optional import"
    return ""


def _ends(case: Case) -> str:
    if case.kind is Kind.ENDING and not eats_cancellation(case):
        return "a peer gone, an end reached or a cancellation"
    return ""


def _absent(case: Case) -> str:
    """KeyError and its like say that something is not there, which is an answer."""
    if case.kind is not Kind.ABSENCE or _failing_log(case):
        return ""
    return "" if skips_an_alternative(case) else f"{case.caught}: what was looked for is not there"


_ALREADY = re.compile(r"\balready\b|\bexists\b", re.IGNORECASE)
_THERE = group("integrity unique duplicate violation exists conflict")


def _there(case: Case) -> str:
    """An insert that finds its row there already."""
    inserts = any(words(name) & group("insert create add register") for name in case.work.calls)
    named = bool(case.one.types) and all(words(one) & _THERE for one in case.one.types)
    goes_on = case.reaction.effect in ("pass", "assign") and bool(case.after)
    if _ALREADY.search(case.reaction.said) and not _failing_log(case):
        return "what was to be done is done already, says its log line"
    return "what was to be put there is there already" if named and inserts and goes_on else ""


def _failing_log(case: Case) -> bool:
    return bool(case.reaction.quiet and FAILURE.search(case.reaction.said))


def skips_an_alternative(case: Case) -> bool:
    """Two lookups that each return, under one guard: the first miss skips the second."""
    lookups = sum(
        1 for each in case.one.body
        if isinstance(each, ast.If) and isinstance(each.body[-1], ast.Return)
        and any(isinstance(node, ast.Subscript) for node in walk(each.body[-1]))
    )  # fmt: skip
    return lookups >= 2 and case.reaction.effect == "pass" and not case.debugged


def _cleans(case: Case) -> str:
    if case.work.only_cleans:
        return f"cleaning up: {case.work.cleans[-1]}()"
    if case.setting.ends and not _persists(case):
        return f"{case.setting.name} takes things down"
    if case.setting.in_finally and not _persists(case):
        return "cleaning up in a finally"
    return ""


def _persists(case: Case) -> bool:
    return any(words(name) & group("save commit persist store flush") for name in case.work.writes)


_LINES = group("reader sock socket conn connection stream ws websocket transport pipe stdin stdout "
               "wfile rfile fd process proc peer client")  # fmt: skip


def _drops(case: Case) -> str:
    """Reading from a line until it drops: OSError ends the loop, as it must."""
    if case.kind is not Kind.OUTSIDE or case.reaction.effect not in ("break", "return"):
        return ""
    calls = [*case.work.reads, *case.work.writes]
    lines = all(
        words(name.rpartition(".")[0]) & _LINES
        and words(name) & group("read recv readline readuntil write send receive accept")
        for name in calls
    )
    return "the line dropped" if calls and lines and not case.debugged else ""


def _gone(case: Case) -> str:
    """Telling a peer that is being dropped that it is."""
    if case.work.cleans and case.work.statements <= 3 and any(
        words(name) & group("close disconnect") for name in case.work.cleans
    ):  # fmt: skip
        return "a last word to a peer that is being closed"
    if _answers_an_error(case):
        return "telling a peer of an error that is handled already"
    alone = case.setting.in_handler and case.work.awaits and case.work.statements == 1
    if alone and any(words(name) & group("send") for name in case.work.writes):
        return "telling a peer of an error that is handled already"
    return ""


def _answers_an_error(case: Case) -> bool:
    """`send_error`, `handle_error` and the like: the function itself is about an error."""
    about = case.setting.said & {"error", "failure"}
    answers = case.setting.said & group("write send answer handle reply")
    sends = any(words(name) & group("write send reply error") for name in case.work.writes)
    return bool(about and answers and sends)


def _harmless(case: Case) -> str:
    if case.work.only_telemetry:
        return f"telemetry only: {case.work.telemetry[-1]}()"
    sums = case.reaction.effect == "return" and is_real(case.reaction.value) and case.work.calls
    told = _failing_log(case) or (sums and case.kind is Kind.EVERYTHING)
    if case.work.cannot_fail and not case.work.subscripts and not told:
        return "nothing in the body can raise but a mistake in the code"
    if any("webbrowser" in name for name in case.work.calls):
        return "opening a browser"
    return ""


def _shown(case: Case) -> str:
    return "a text for people" if case.setting.shows and not _failing_log(case) else ""


def _noticed(case: Case) -> str:
    names = list(case.reaction.targets) or [*case.work.sets]
    if case.reaction.effect in ("pass", "assign", "act"):
        said = noticed(case.source, case.one, names, case.after)
        said = said or noticed_empty(
            case.source, start(case.reaction.targets, case.reaction.value), case.after
        )
        if not said and case.work.only_parses:
            said = only_words_it(case.source, case.one, names)
        if said:
            return said
        if case.after and leaves(case.one) and tells_by_return(case.after[0]):
            return "an error is returned after it"
        if another_way(case.one, case.after) and not case.debugged:
            return "another way is tried next"
    if case.reaction.effect in ("continue", "pass") and loop_complains(
        case.source, case.setting.in_loop
    ):
        return "it raises or reports when nothing worked"
    return ""


def _turns(case: Case) -> str:
    """Another call in the handler does the work instead, and may raise itself."""
    if case.reaction.calls and not case.reaction.tidies and not case.debugged:
        return "another way is taken in the handler"
    if case.reaction.gathers:
        return "the item is kept as it came"
    if _again(case):
        return "the same is tried in another way in the handler"
    if case.reaction.effect == "act" and case.reaction.tidies and not case.debugged:
        return "cleaning up"
    return ""


def _again(case: Case) -> bool:
    """`start(one_port)`, and in the handler `start(any_port)`."""
    tried = {name.rpartition(".")[2] for name in (*case.work.reads, *case.work.others)}
    return any(called_last(call) in tried for call in case.reaction.calls)


def _probes(case: Case) -> str:
    """True where it works, False where it does not: the failure is the answer."""
    if _answers_both(case) and case.stake not in ("access", "a limit"):
        return "whether it works is the question"
    return ""


def _answers_both(case: Case) -> bool:
    value = case.reaction.value
    if not (isinstance(value, ast.Constant) and value.value is False):
        return False
    if any(words(name) & WRITE for name in case.work.writes):
        return case.setting.probes
    last = case.one.body[-1]
    tail = [*case.one.body, *getattr(case.one.statement, "orelse", ()), *case.after[:1]]
    if case.reaction.effect == "return":
        return any(_gives_true(each) for each in tail) or case.setting.probes
    return any(
        isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        and node.value.value is True for node in walk(last)
    )  # fmt: skip


def _gives_true(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Return) and isinstance(node.value, ast.Constant)
        and node.value.value is True for node in walk(statement)
    )  # fmt: skip


def _reasoned(case: Case) -> str:
    return "a lint exception with its reason" if case.setting.reasoned else ""


_REASONS: tuple[Callable[[Case], str], ...] = (
    _imports, _ends, _absent, _there, _cleans, _gone, _drops, _harmless, _shown, _noticed,
    _turns, _probes,
)  # fmt: skip
