"""Evidence from what the handler does, and from what runs after it."""

from __future__ import annotations

import ast

from audits.silent.aftermath import leaves
from audits.silent.case import Case
from audits.silent.category import fails_open, retries
from audits.silent.exceptions import Kind
from audits.silent.guarded import inside
from audits.silent.sinks import Loudness
from audits.silent.words import EXPECTED, FAILURE
from busctl.audit import walk

_SHORT = 2
_ENDS = (ast.Break, ast.Return)


def called_failure(case: Case) -> bool:
    """Whether its own quiet log calls it a failure."""
    return bool(case.reaction.quiet and FAILURE.search(case.reaction.said))


def quiet_expected(case: Case) -> str:
    said = case.reaction.quiet and EXPECTED.search(case.reaction.said)
    return "the log says it was expected or another way follows" if said else ""


def quiet_alone(case: Case) -> str:
    """The work is left undone, and a debug line is all that says so."""
    alone = called_failure(case) and case.reaction.effect in ("pass", "act")
    return "only a debug line tells of it" if alone else ""


def told_what(case: Case) -> str:
    """Whoever writes what failed into a line wants to find it; a debug line is not looked for."""
    detailed = any(
        len(call.args) > 1 or any(isinstance(each, ast.JoinedStr) for each in call.args)
        for call in case.reaction.quiet
    )
    alone = detailed and case.reaction.level is not Loudness.INFO
    return "what failed is told to a debug log alone" if alone else ""


def looks_real(case: Case) -> str:
    real = is_real(case.reaction.value)
    return f"{case.default} looks like a real answer" if real else ""


def odd_one(case: Case) -> str:
    """An empty value for one of several, among real ones."""
    among = _of_several(case) and looks_real(case)
    return f"{case.default} stands among real answers" if among else ""


def misread(case: Case) -> str:
    """`rows = []`, `cost = 0.0`: what could not be read is taken for an answer."""
    misread = is_real(case.reaction.value) and case.work.parses
    return f"what cannot be read is taken for {case.default}" if misread else ""


def flags(case: Case) -> str:
    """True or False stands in: whether it worked is the answer."""
    value = case.reaction.value
    flag = isinstance(value, ast.Constant) and isinstance(value.value, bool)
    flag = flag and not fails_open(case)
    return f"{case.default} says whether it worked" if flag else ""


def marks(case: Case) -> str:
    """`"<not shown>"`: a text stands in that nobody takes for a real one."""
    value = case.reaction.value
    word = isinstance(value, ast.Constant) and isinstance(value.value, str)
    marked = isinstance(value, ast.JoinedStr) or (word and len(str(value.value)) > _SHORT)  # type: ignore[union-attr]  # a constant
    return f"{case.default} shows that it is none" if marked else ""


def as_it_came(case: Case) -> str:
    """What could not be read or changed is passed on as it was, or as text."""
    value = case.reaction.value
    if isinstance(value, ast.Attribute) and value.attr == "text":
        return "the text is passed on as it came"
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        as_text = value.func.id in ("str", "repr")
        return "it is passed on as text" if as_text else ""
    if isinstance(value, (ast.Name, ast.Attribute)) and ast.unparse(value) in handed(case):
        return f"{ast.unparse(value)} is passed on as it came"
    return ""


def handed(case: Case) -> set[str]:
    """The names that the calls of the guarded body are given or made on, as source text."""
    found: set[str] = set()
    for call in inside(case.one.body):
        if not isinstance(call, ast.Call):
            continue
        for given in [*call.args, *(word.value for word in call.keywords)]:
            found |= {
                ast.unparse(node) for node in walk(given)
                if isinstance(node, (ast.Name, ast.Attribute))
            }  # fmt: skip
        if isinstance(call.func, ast.Attribute):
            found.add(ast.unparse(call.func.value))
    return found


def shape_asked(case: Case) -> str:
    """`isinstance(found, dict)` below: what came out is looked at."""
    names = set(case.reaction.targets) or set(case.work.sets)
    for statement in case.after if names else ():
        for node in walk(statement):
            if (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                and node.func.id == "isinstance" and node.args
                and ast.unparse(node.args[0]) in names
            ):  # fmt: skip
                return f"what {ast.unparse(node.args[0])} is, is asked below"
    return ""


def next_follows(case: Case) -> str:
    """A loop over candidates, which ends with the first that works."""
    tried = [*case.one.body, *getattr(case.one.statement, "orelse", ())]
    ends = any(isinstance(node, _ENDS) for node in inside(tried))
    loop = case.setting.in_loop
    if loop is None or retries(case):
        return ""
    last = getattr(loop, "body", [None])[-1]  # what stands after the try runs where it worked
    ends = ends or (case.reaction.effect == "continue" and isinstance(last, _ENDS))
    return "the first that works ends the loop" if ends else ""


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


def not_whole(case: Case) -> str:
    """One of several fails, and what comes of the others looks like the whole."""
    alone = _of_several(case) and not (retries(case) or next_follows(case) or drops_item(case))
    return "one of several fails, and the rest looks whole" if alone else ""


def _of_several(case: Case) -> bool:
    return isinstance(case.setting.in_loop, (ast.For, ast.AsyncFor))


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
