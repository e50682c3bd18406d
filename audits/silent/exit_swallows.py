"""A context manager whose exit says "handled" of every exception."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.names import functions, parameters
from audits.shelter import BROAD
from busctl.audit import Confidence, Finding, Function, Rule, Severity, Source, walk

_SAID = {"warning", "error", "exception", "critical", "warn", "print", "print_exc", "append",
         "put", "send", "fail", "set_exception", "capture_exception"}  # fmt: skip
# What takes the error that is being handled without being given it.
_CURRENT = frozenset({"Failure", "exc_info", "format_exc", "exception", "current_exception"})
_PURPOSE = ("suppress", "ignore", "swallow", "silence", "silent", "quiet")


class ExitSwallows(Rule):
    code = "SF024"
    name = "exit-swallows"
    family = "silent"
    severity = Severity.ERROR
    summary = "__exit__ or __aexit__ returns true for every exception."
    why = (
        "What fails inside the `with` ends there: the code behind it goes on as if the block had"
        " been done, and neither the caller nor a log hears of the error."
    )
    remedy = "Return None (or False); return True only for the exception types that are meant."
    GOOD = (
        "class Timer:\n    def __exit__(self, kind, error, trace):\n        self.stop()\n"
        "        return False\n",
        "class Tidy:\n    def __exit__(self, kind, error, trace):\n        if kind:\n"
        "            return False\n        self.clean_up()\n        return True\n",
        "class Missing:\n    def __exit__(self, kind, error, trace):\n"
        "        return kind is not None and issubclass(kind, KeyError)\n",
        "class Task:\n    async def __aexit__(self, kind, error, trace):\n        if error:\n"
        "            log.error('task failed', exc_info=error)\n        return True\n",
        "class Failing:\n    def __exit__(self, kind, error, trace):\n        if kind:\n"
        "            self.failed(Failure())\n        return True\n",
        "class Caught:\n    def __exit__(self, kind, error, trace):\n        self.error = error\n"
        "        return True\n",
    )
    BAD = (
        "class Tidy:\n    def __exit__(self, kind, error, trace):\n        if kind:\n"
        "            self.undo()\n        return True\n",
        "class Session:\n    def __exit__(self, kind, error, trace):\n        self.close()\n"
        "        return True\n",
        "class Batch:\n    async def __aexit__(self, kind, error, trace):\n"
        "        await self.flush()\n        return isinstance(error, Exception)\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for node in functions(source):
            if node.name in ("__exit__", "__aexit__") and (at := _swallowing(source, node)):
                yield self._found(source, node, at)

    def _found(self, source: Source, node: Function, at: ast.Return) -> Finding:
        around = source.class_of(node)
        owner = around.name if around else "this"
        return self.finding(
            source, at,
            f"Whatever fails inside `with {owner}…` is dropped here: the code behind the block"
            " goes on as if it had been done, and no log says otherwise.",
            confidence=Confidence.HIGH, evidence=(f"{node.name} returns true for any exception",),
        )  # fmt: skip


def _swallowing(source: Source, node: Function) -> ast.Return | None:
    around = source.class_of(node)
    if around is None or any(word in around.name.lower() for word in _PURPOSE):
        return None
    given = parameters(node) - {"self"}
    if _is_told(node, given):
        return None
    return next(
        (
            one for one in walk(node)
            if isinstance(one, ast.Return) and one.value is not None
            and source.function(one) is node and _true_for_all(one.value, given)
            and not _depends(source, one, node, given) and not _left_before(one, node, given)
        ),
        None,
    )  # fmt: skip


def _is_told(node: Function, given: set[str]) -> bool:
    """Whether somebody gets the error: a log, a value that keeps it, another call."""
    for one in walk(node):
        if isinstance(one, ast.Raise):
            return True
        if isinstance(one, ast.Call):
            func = one.func
            last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            if last in _SAID or (last not in ("isinstance", "issubclass") and _names(one, given)):
                return True
            if last in _CURRENT and not one.args:
                return True
        if isinstance(one, (ast.Assign, ast.AnnAssign)) and one.value and _names(one.value, given):
            return True
    return False


def _names(node: ast.AST, given: set[str]) -> bool:
    return any(isinstance(one, ast.Name) and one.id in given for one in walk(node))


def _true_for_all(value: ast.expr, given: set[str]) -> bool:
    if isinstance(value, ast.Constant):
        return value.value is True
    if isinstance(value, ast.Call):
        last = getattr(value.func, "id", "")
        kinds = value.args[1] if len(value.args) == 2 else None
        return (
            last in ("isinstance", "issubclass")
            and isinstance(kinds, ast.Name) and kinds.id in BROAD
        )  # fmt: skip
    if isinstance(value, ast.Compare) and isinstance(value.ops[0], ast.IsNot):
        return isinstance(value.left, ast.Name) and value.left.id in given
    return False


def _depends(source: Source, at: ast.Return, node: Function, given: set[str]) -> bool:
    """Whether a condition around it asks what kind of exception it is."""
    for around in source.parents(at):
        if around is node:
            return False
        if isinstance(around, (ast.If, ast.Match, ast.For, ast.ExceptHandler)):
            test = getattr(around, "test", None)
            if test is None or not _only_presence(test, given):
                return True
    return False


def _left_before(at: ast.Return, node: Function, given: set[str]) -> bool:
    """Whether an `if error: return False` further up has left with every exception."""
    return any(
        isinstance(one, ast.If) and one.lineno < at.lineno and _only_presence(one.test, given)
        and isinstance(one.body[-1], (ast.Return, ast.Raise)) and one.body[-1] is not at
        for one in node.body
    )  # fmt: skip


def _only_presence(test: ast.expr, given: set[str]) -> bool:
    """`if error:` and `if error is not None:` say only that there is one."""
    if isinstance(test, ast.Name):
        return test.id in given
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.IsNot)
        and isinstance(test.left, ast.Name)
        and test.left.id in given
    )
