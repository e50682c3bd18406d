"""A new error is raised in a handler without the one that caused it."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from audits.silent.exceptions import Kind, kind_of_all
from audits.silent.guarded import Guarded, guarded, inside
from busctl.audit import Confidence, Finding, Rule, Severity, Source, walk


class LostCause(Rule):
    """A new error is raised in a handler without the one that caused it."""

    code = "SF012"
    name = "lost-cause"
    family = "silent"
    severity = Severity.NOTE
    default = False
    summary = "An error is replaced by another that says nothing of it, in a file that uses `from`"
    why = (
        "Whoever reads the new error learns that something failed, not what: the cause is not in "
        "its text, and tools that follow `__cause__` do not find it."
    )
    remedy = "Write `raise … from error`, or `from None` where the cause is not to be shown."
    BAD = (
        """\
def load(path):
    try:
        return read(path)
    except OSError:
        raise Unreadable(path)

def store(row):
    try:
        insert(row)
    except ValueError as error:
        raise Refused(row) from error
""",
        """\
def connect(address):
    try:
        return dial(address)
    except Exception as error:
        log(error)
        raise RuntimeError("no connection")

def close(connection):
    try:
        connection.end()
    except OSError as error:
        raise RuntimeError("not closed") from error
""",
    )
    GOOD = (
        """\
def load(path):
    try:
        return read(path)
    except OSError as error:
        raise Unreadable(path) from error
""",
        """\
def load(path):
    try:
        return read(path)
    except OSError as error:
        raise Unreadable(f"{path}: {error}")

def find(names, name):
    try:
        return names[name]
    except KeyError:
        raise Unknown(name) from None
""",
        """\
def load(path):
    try:
        return read(path)
    except OSError:
        raise Unreadable(path)
""",
    )

    def check(self, source: Source) -> Iterable[Finding]:
        if source.is_test or not any(each.cause for each in source.nodes(ast.Raise)):
            return
        for one in guarded(source):
            if kind_of_all(one.types) >= Kind.SHAPE:
                yield from self._in(source, one)

    def _in(self, source: Source, one: Guarded) -> Iterable[Finding]:
        for node in inside(one.answer):
            if isinstance(node, ast.Raise) and _forgets(source, one, node):
                yield self.finding(
                    source, node,
                    f"`{ast.unparse(node)[:70]}` does not carry the error it stands for: who "
                    "reads it cannot learn what really failed.",
                    confidence=Confidence.LOW, evidence=("the file uses `from` elsewhere",),
                )  # fmt: skip


def _forgets(source: Source, one: Guarded, node: ast.Raise) -> bool:
    if not isinstance(node.exc, ast.Call) or node.cause is not None:
        return False
    inner = next(
        (each for each in source.parents(node) if isinstance(each, ast.ExceptHandler)), None
    )
    named = {each.id for each in walk(node.exc) if isinstance(each, ast.Name)}
    return inner is one.node and one.bound not in named
