"""Evidence from what the handler does, and from what runs after it."""

from __future__ import annotations

import ast

from audits.silent.aftermath import leaves
from audits.silent.case import Case
from audits.silent.category import retries
from audits.silent.exceptions import Kind
from audits.silent.guarded import inside
from audits.silent.sinks import message_words
from audits.silent.words import BESIDE, CACHE, EXPECTED, FAILURE, TRIVIA

_GOES_ON = ("pass", "assign", "act")


def called_failure(case: Case) -> bool:
    """Whether its own quiet log calls it a failure."""
    return bool(case.reaction.quiet and FAILURE.search(case.reaction.said))


def quiet_answer(case: Case) -> str:
    told = called_failure(case) and case.reaction.effect == "return"
    return "after the quiet log an answer is given" if told else ""


def quiet_expected(case: Case) -> str:
    said = case.reaction.quiet and EXPECTED.search(case.reaction.said)
    return "the log says it was expected or another way follows" if said else ""


def quiet_beside(case: Case) -> str:
    about = case.reaction.quiet and message_words(case.reaction.said) & (BESIDE | TRIVIA | CACHE)
    return "the log speaks of something beside the work" if about else ""


def looks_real(case: Case) -> str:
    real = is_real(case.reaction.value)
    return f"{case.default} looks like a real answer" if real else ""


def says_no(case: Case) -> str:
    value = case.reaction.value
    no = isinstance(value, ast.Constant) and value.value is False
    return "False says that it did not work" if no else ""


def gives_back(case: Case) -> str:
    """The function's own argument comes back as it was."""
    value, function = case.reaction.value, case.one.function
    if not isinstance(value, ast.Name) or function is None:
        return ""
    given = function.args
    own = {one.arg for one in [*given.posonlyargs, *given.args, *given.kwonlyargs]}
    return f"{value.id} stays as it was handed in" if value.id in own else ""


def goes_on(case: Case) -> bool:
    """In the midst of other work, not in a function that is there to read values."""
    return (
        case.reaction.effect in _GOES_ON
        and not case.setting.whole and not case.setting.reads and bool(case.after)
    )  # fmt: skip


def sets_nothing(case: Case) -> str:
    """A side effect alone: nothing that comes after reads what it sets."""
    if case.reaction.effect != "pass" or case.work.sets:
        return ""
    if any(isinstance(node, ast.Return) for node in inside(case.one.body)):
        return ""
    return "nothing after it reads what it sets"


def fast_path(case: Case) -> str:
    """Where it works the function ends; where it does not, another way follows."""
    if case.reaction.effect not in ("pass", "act", "continue", "assign") or retries(case):
        return ""
    if not any(_does_more(each) for each in case.after):
        return ""
    leaves = any(
        isinstance(node, ast.Return) and node.value is not None
        and not (isinstance(node.value, ast.Constant) and node.value.value is None)
        for node in inside(case.one.body)
    )  # fmt: skip
    return "where it works it returns; another way follows" if leaves else ""


def drops_item(case: Case) -> str:
    """A loop that gathers something, and leaves out what fails."""
    if not isinstance(case.setting.in_loop, (ast.For, ast.AsyncFor)) or leaves(case.one):
        return ""
    if case.reaction.effect not in ("continue", "pass") or case.kind is not Kind.EVERYTHING:
        return ""
    gathers = any(
        (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.Attribute) and node.attr in ("append", "add", "extend"))
        for node in inside([*case.one.body, *getattr(case.one.statement, "orelse", ())])
    )
    return "an item that fails is left out of what is gathered" if gathers else ""


def state(case: Case) -> str:
    """A failure is reported as one of the ordinary states."""
    if case.reaction.effect != "return" or case.kind < Kind.OUTSIDE:
        return ""
    about = case.setting.said & {"status", "state", "health", "info"}
    value = case.reaction.value
    constant = isinstance(value, (ast.Attribute, ast.Name, ast.Dict, ast.Constant))
    real = constant and not (isinstance(value, ast.Constant) and value.value in (None, False))
    return f"{case.default} is an ordinary state" if about and real else ""


def _does_more(statement: ast.stmt) -> bool:
    """Whether a statement is more than the end of the function with a constant."""
    if isinstance(statement, ast.Return):
        return not (statement.value is None or isinstance(statement.value, ast.Constant))
    return not isinstance(statement, (ast.Pass, ast.Continue, ast.Break))


def is_real(value: ast.expr | None) -> bool:
    """An empty list or a zero stands in, which no reader can tell from a real one."""
    if isinstance(value, ast.Tuple) and value.elts:
        return all(is_real(each) for each in value.elts)
    if isinstance(value, (ast.List, ast.Set, ast.Tuple)):
        return not value.elts
    if isinstance(value, ast.Dict):
        return not value.keys
    return (
        isinstance(value, ast.Constant)
        and value.value is not None and not isinstance(value.value, bool) and not value.value
    )  # fmt: skip
