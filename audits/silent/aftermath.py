"""What the function does after the try: whether the default that was put in is noticed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audits.silent.emptied import UnknownValue, evaluated, follow
from audits.silent.guarded import Guarded, inside
from audits.silent.sinks import Loudness, is_logger, loudness, wrapped
from busctl.audit import FUNCTIONS, Source, walk

_BLOCKS = ("body", "orelse", "finalbody")


def following(source: Source, one: Guarded) -> list[ast.stmt]:
    """The statements that run next, those of the blocks around included, to the function's end;
    out of a loop that the handler continues, only what stands after the loop runs for sure."""
    found: list[ast.stmt] = []
    for block, position in _blocks(source, one.statement):
        found.extend(block[position + 1 :])
    return found


def _blocks(source: Source, statement: ast.stmt) -> Iterator[tuple[list[ast.stmt], int]]:
    inner: ast.AST = statement
    for around in source.parents(statement):
        for name in _BLOCKS:
            block = getattr(around, name, None)
            if isinstance(block, list) and inner in block:
                yield block, block.index(inner)
        if isinstance(around, FUNCTIONS):
            return
        inner = around


def noticed(source: Source, one: Guarded, names: Sequence[str], after: Sequence[ast.stmt]) -> str:
    """How a later statement of the function notices that the value is missing: "" if none does."""
    wanted = {name for name in names if name and name != "_"}
    sure = True
    for statement in after:
        if isinstance(statement, ast.Raise):
            return "raises after it" if sure or leaves(one) else ""
        for node in source.within(statement, ast.If, ast.Assert) if wanted else ():
            if isinstance(node, ast.If) and complains(source, _missing(source, node, wanted)):
                return f"the missing value is noticed on line {node.lineno}"
            if isinstance(node, ast.Assert) and _tests(node.test, wanted):
                return f"the missing value is noticed on line {node.lineno}"
        sure = sure and not any(isinstance(node, ast.Return) for node in inside([statement]))
    return ""


def noticed_empty(source: Source, stands_in: Mapping[str, Any], after: Sequence[ast.stmt]) -> str:
    """How a later statement complains of the empty value, or of what is made of it."""
    known = dict(stands_in)
    for statement in after if known else ():
        if isinstance(statement, ast.If):
            try:
                met = bool(evaluated(statement.test, known))
            except UnknownValue:
                met = None
            taken = () if met is None else statement.body if met else statement.orelse
            if complains(source, taken):
                return f"the missing value is noticed on line {statement.lineno}"
        follow(statement, known)
        if isinstance(statement, (ast.Return, ast.Raise)):
            return ""
    return ""


def only_words_it(source: Source, one: Guarded, names: Sequence[str]) -> str:
    """What is set is the wording of a warning that follows whether it could be set or not, or is
    not used but in logs."""
    uses = [
        node for node in source.within(one.function or source.tree, ast.Name)
        if node.id in names and isinstance(node.ctx, ast.Load)
        and node.lineno > (one.statement.end_lineno or 0)
    ]  # fmt: skip
    if uses and all(_is_logged(source, node) for node in uses):
        return f"{uses[0].id} is only logged"
    for block, position in _blocks(source, one.statement):
        for statement in block[position + 1 :]:
            if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
                return ""
            call = statement.value
            if loudness(source, call) is Loudness.HEARD:
                given = {node.id for node in walk(call) if isinstance(node, ast.Name)}
                said = given & set(names)
                return f"a warning follows anyway, worded by {min(said)}" if said else ""
        return ""
    return ""


def _is_logged(source: Source, node: ast.AST) -> bool:
    return any(
        isinstance(around, ast.Call) and is_logger(source.called(around))
        for around in source.parents(node)
    )


def leaves(one: Guarded) -> bool:
    """Whether the guarded body leaves where it works, so that only a failure gets further."""
    tried = [*one.body, *getattr(one.statement, "orelse", ())]
    return any(isinstance(node, (ast.Return, ast.Break, ast.Continue)) for node in inside(tried))


def _missing(source: Source, node: ast.If, wanted: set[str]) -> list[ast.stmt]:
    """What runs where one of these is None, empty or False, and only there."""
    tests = node.test.values if isinstance(node.test, ast.BoolOp) else [node.test]
    if any(_negative(each) and _tests(each, wanted) for each in tests):
        return node.body
    if not any(_positive(each) and _tests(each, wanted) for each in tests):
        return []
    if not node.orelse and isinstance(node.body[-1], (ast.Return, ast.Continue, ast.Break)):
        for block, position in _blocks(source, node):
            return block[position + 1 :]
    return node.orelse


def _positive(test: ast.expr) -> bool:
    if isinstance(test, ast.Compare):
        return isinstance(test.ops[0], (ast.IsNot, ast.NotEq))
    return isinstance(test, (ast.Name, ast.Attribute))


def _tests(test: ast.expr, wanted: set[str]) -> bool:
    return any(
        ast.unparse(node) in wanted
        for node in walk(test)
        if isinstance(node, (ast.Name, ast.Attribute))
    )


def _negative(test: ast.expr) -> bool:
    if isinstance(test, ast.UnaryOp):
        return isinstance(test.op, ast.Not)
    return isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Is, ast.Eq, ast.In))


def complains(source: Source, statements: Sequence[ast.stmt]) -> bool:
    own = wrapped(source)
    for node in inside(statements):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call):
            name = source.called(node)
            if loudness(source, node) is Loudness.HEARD:
                return True
            if name.startswith("self.") and own.get(name[5:]) is Loudness.HEARD:
                return True
    return False


def another_way(one: Guarded, after: Sequence[ast.stmt]) -> bool:
    """Whether the next statement tries something else for the same end: a second try, or a guard
    on what the first one did not set."""
    if not after:
        return False
    first = after[0]
    if isinstance(first, (ast.Try, ast.TryStar)):
        return _alike(one.statement, first)
    if isinstance(first, (ast.With, ast.AsyncWith)) and one.suppressed:
        return _alike(one.statement, first)
    return False


def _alike(one: ast.stmt, other: ast.stmt) -> bool:
    """Both return, or both set the same name."""
    return bool(_results(one) & _results(other))


def _results(statement: ast.stmt) -> set[str]:
    body = getattr(statement, "body", [])
    found = set()
    for node in inside(body):
        if isinstance(node, ast.Return):
            found.add("return")
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def loop_complains(source: Source, loop: ast.stmt | None) -> bool:
    """Whether a loop that skips what fails raises or reports when nothing worked."""
    if not isinstance(loop, (ast.For, ast.AsyncFor, ast.While)):
        return False
    if complains(source, loop.orelse):
        return True
    for block, position in _blocks(source, loop):
        for statement in block[position + 1 :]:
            if isinstance(statement, ast.Raise):
                return True
        break
    return False
