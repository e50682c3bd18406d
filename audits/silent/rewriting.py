"""A failed read that is written back: what could not be read is lost for good."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from audits.silent.case import Case
from audits.silent.done import is_real
from audits.silent.exceptions import Kind
from audits.silent.guarded import functions, inside
from audits.silent.words import CACHE, all_words, group, words
from busctl.audit import Source, walk

_READS = group("read load open safe_load")
_SAVES = group("save dump write store persist overwrite")
_KEPT = "_silent_written_back"


def overwritten(case: Case) -> str:
    """A reader answers "nothing" for a failure, and its answer is changed and saved again."""
    if case.kind < Kind.SHAPE or not _reads(case) or case.setting.caches:
        return ""
    effect, value = case.reaction.effect, case.reaction.value
    nothing = _is_empty(value) or _is_empty_name(case, value) or effect == "pass"
    if not nothing or case.reaction.calls or _is_readable(case):
        return ""
    if effect == "return" and case.setting.name in _written_back(case.source):
        return f"what {case.setting.name} returns is changed and saved again"
    names = {*case.reaction.targets, *(case.work.sets if effect == "pass" else ())}
    if effect in ("assign", "pass") and names and _saves(case.source, case.after, names):
        return "what could not be read is written anew below"
    return ""


def _reads(case: Case) -> bool:
    return any(words(name) & _READS for name in case.work.calls)


def _is_empty(value: ast.expr | None) -> bool:
    return is_real(value) and not isinstance(value, ast.Constant)


def _is_readable(case: Case) -> bool:
    """`require_readable(path)` stands before: it raised where the read would fail."""
    if case.one.function is None:
        return False
    return any(
        isinstance(node.value, ast.Call)
        and words(case.source.called(node.value)) & group("require ensure assert check verify")
        for node in case.source.within(case.one.function, ast.Expr)
        if node.lineno < case.one.node.lineno
    )  # fmt: skip


def _is_empty_name(case: Case, value: ast.expr | None) -> bool:
    """`found = {}` above, and `return found` in the handler."""
    if not isinstance(value, ast.Name) or case.one.function is None:
        return False
    given: list[ast.Assign | ast.AnnAssign] = [
        *case.source.within(case.one.function, ast.Assign),
        *case.source.within(case.one.function, ast.AnnAssign),
    ]
    return any(
        value.id in _names(node) and _is_empty(node.value)
        for node in given if node.lineno < case.one.node.lineno
    )  # fmt: skip


def _names(given: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = given.targets if isinstance(given, ast.Assign) else [given.target]
    return {ast.unparse(each) for each in targets}


def _written_back(source: Source) -> set[str]:
    """The functions of the file whose answer one of their callers there saves again."""
    kept = vars(source)
    if _KEPT not in kept:
        found: set[str] = set()
        own = {each.name for each in functions(source)}
        for function in functions(source):
            assigned: list[ast.Assign | ast.AnnAssign] = [
                *source.within(function, ast.Assign), *source.within(function, ast.AnnAssign)
            ]  # fmt: skip
            for given in assigned:
                name = _called(source, given.value)
                if name in own and name != function.name and _is_saved(source, function, given):
                    found.add(name)
        kept[_KEPT] = found
    answered: set[str] = kept[_KEPT]
    return answered


def _called(source: Source, value: ast.expr | None) -> str:
    inner = value.value if isinstance(value, ast.Await) else value
    if not isinstance(inner, ast.Call):
        return ""
    name = source.called(inner)
    return name.removeprefix("self.").removeprefix("cls.")


def _is_saved(source: Source, function: ast.AST, given: ast.Assign | ast.AnnAssign) -> bool:
    return _saves(source, [function], _names(given), after=given.lineno)


def _saves(source: Source, statements: Iterable[ast.AST], names: set[str], after: int = 0) -> bool:
    """`save(data)`, `json.dump(data, file)`, `path.write_text(json.dumps(data))`."""
    for node in inside([each for one in statements for each in getattr(one, "body", [one])]):
        if not isinstance(node, ast.Call) or node.lineno <= after:
            continue
        said = words(source.called(node).rpartition(".")[2] or _attribute(node))
        if not said & _SAVES or all_words(source.called(node)) & CACHE or said == {"dumps"}:
            continue
        for value in [*node.args, *(word.value for word in node.keywords)]:
            if any(isinstance(each, (ast.Name, ast.Attribute)) and ast.unparse(each) in names
                   for each in walk(value)):  # fmt: skip
                return True
    return False


def _attribute(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""
