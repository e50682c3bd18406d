"""Functions that are known not to raise: what may fail in them stands under their own guard.

A guard around a call of such a function loses nothing: what went wrong was dealt with, well or ill,
inside. That is for the finding there to say.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from audits.shelter import keeps
from audits.silent.guarded import functions, inside
from audits.silent.sinks import is_logger
from audits.silent.words import group, words
from audits.silent.work import PARSE, SAFE
from busctl.audit import Function, Source

_OF_VALUES = SAFE | group(
    "isoformat astimezone total_seconds timestamp timedelta strftime date hexdigest digest Lock "
    "dirname basename expanduser exists isfile isdir uuid4"
)
_MAY_RAISE = (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.Yield, ast.YieldFrom)


def risks(source: Source) -> dict[str, list[str]]:
    """By function that raises nothing itself, the calls outside of its guards on whose account it
    still may: `guard` first where it has a broad one."""
    found = {}
    for function in functions(source):
        left = _left(source, function)
        if left is not None:
            found[function.name] = left
    return found


def _left(source: Source, function: Function) -> list[str] | None:
    tries = [node for node in inside(function.body) if isinstance(node, ast.Try)]
    broad = [node for node in tries if keeps(node)]
    kept = {each for node in broad for each in inside(node.body)}
    asked = {each for node in tries if not _raises(node) for each in inside(node.body)}
    found = {"guard"} if broad else set()
    for node in inside(function.body):
        if node in kept:
            continue
        looks_up = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
        if isinstance(node, _MAY_RAISE) or (looks_up and node not in asked):
            return None
        if isinstance(node, ast.Call):
            name = called(source, node)
            if not name:
                return None
            if not (of_values(name) or (node in asked and _is_asked(name))):
                found.add(name)
    return sorted(found, key=lambda name: (name != "guard", name))


def _raises(node: ast.Try) -> bool:
    """Whether something gets out of its handlers by intent, or it has none."""
    answers = [statement for each in node.handlers for statement in each.body]
    return not answers or any(isinstance(each, ast.Raise) for each in inside(answers))


def _is_asked(name: str) -> bool:
    """A call whose one way to fail is the one that a narrow guard names."""
    return name.rpartition(".")[2] in PARSE or name.startswith(("os.", "shutil."))


def called(source: Source, call: ast.Call) -> str:
    """The bare name of a function that may be looked up in the project, or the dotted name."""
    name = source.called(call)
    holder, _, last = name.rpartition(".")
    top = source.module.partition(".")[0]
    own = not holder or holder in ("self", "cls") or holder.partition(".")[0] == top
    return last if own else name


def of_values(name: str) -> bool:
    """Whether a call only fails by a mistake in the code."""
    return name.rpartition(".")[2] in _OF_VALUES or is_logger(name)


def unfailing(
    names: Sequence[str], risks: Mapping[str, Sequence[str]], defined: Mapping[str, int]
) -> bool:
    """Whether none of these can raise, and one of them by its own guard."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name == "guard" or of_values(name):
            continue
        if name not in risks or defined.get(name) != 1 or not words(name):
            return False
        waiting += risks[name]
    return "guard" in seen
