"""Where a value that is parsed comes from: the environment, a setting, an option, a request."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.silent.guarded import Guarded, inside
from audits.silent.words import CONFIG, INPUT, group, verb, words
from audits.silent.work import Work
from busctl.audit import Source, walk

_STEPS = 3
_ENV = frozenset({"environ", "getenv", "getenvb"})
_SENDS = group("post put patch request send urlopen")
_LIBRARIES = ("requests.", "httpx.")
_SENT = group("data json params headers files auth timeout verify stream")


def asked(source: Source, one: Guarded, done: Work) -> str:
    """The expression that somebody outside of the function handed in, "" where none shows; an
    environment variable before all others."""
    found = ""
    for call in done.parsed:
        for value in [*call.args, *(word.value for word in call.keywords)]:
            handed = ""
            for each in _history(one, source, value):
                if _is_reply(source, each):
                    handed = ""
                    break
                said = _handed_in(source, each)
                if of_environment(said):
                    return said
                handed = handed or said
            found = found or handed
    return found


def _is_reply(source: Source, value: ast.expr) -> bool:
    """`requests.post(url, data=text)`: the function asked for it itself, whatever it is called and
    whatever was sent along."""
    for node in walk(value):
        if isinstance(node, ast.Call):
            name = source.called(node)
            given = {word.arg for word in node.keywords}
            sends = verb(name) in _SENDS or name.startswith(_LIBRARIES)
            if (sends and (node.args or given)) or len(given & _SENT) > 1:
                return True
    return False


def argument(source: Source, one: Guarded, done: Work) -> str:
    """The parameter of the function that what is parsed comes from."""
    if one.function is None:
        return ""
    spec = one.function.args
    own = {each.arg for each in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]}
    own -= {"self", "cls"}
    for call in done.parsed:
        for value in call.args:
            for each in _history(one, source, value):
                for node in walk(each):
                    if isinstance(node, ast.Name) and node.id in own:
                        return node.id
    return ""


def _handed_in(source: Source, value: ast.expr) -> str:
    called = {node.func for node in walk(value) if isinstance(node, ast.Call)}
    for node in walk(value):
        if not isinstance(node, (ast.Name, ast.Attribute)):
            continue
        holder, _, last = source.dotted(node).rpartition(".")
        if last in _ENV and holder == "os":
            return ast.unparse(value)[:60]
        if last in _ENV:  # of a WSGI request: what a peer sent, not what an operator set
            continue
        if node not in called and (words(last) & (CONFIG | INPUT) or _is_constant(last)):
            return ast.unparse(value)[:60]
    return ""


def _is_constant(name: str) -> bool:
    """A module's own upper-case name: a setting, most of the time."""
    return len(name) > 3 and name.isupper() and not name.startswith("_")


def _history(one: Guarded, source: Source, value: ast.expr) -> Iterator[ast.expr]:
    """The value, then what its names were given before, a few steps back."""
    yield value
    wanted = _names(value)
    for node in inside(one.body):  # `int(part) for part in raw.split()`
        if isinstance(node, (ast.comprehension, ast.For)) and wanted & _names(node.target):
            yield node.iter
            wanted |= _names(node.iter)
    if not wanted:
        return
    around = one.function or source.tree
    given: list[ast.Assign | ast.AnnAssign | ast.NamedExpr] = [
        *source.within(around, ast.Assign), *source.within(around, ast.AnnAssign),
        *source.within(around, ast.NamedExpr),
    ]  # fmt: skip
    before = sorted((node for node in given if node.lineno < one.node.lineno), key=_line)
    steps = 0
    for node in reversed(before):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is not None and wanted & {n for each in targets for n in _names(each)}:
            yield node.value
            wanted |= _names(node.value)
            steps += 1
            if steps == _STEPS:
                return


def _line(node: ast.stmt | ast.expr) -> int:
    return node.lineno


def _names(value: ast.expr) -> set[str]:
    return {node.id for node in walk(value) if isinstance(node, ast.Name)}


def of_environment(said: str) -> bool:
    """Whether that is an environment variable."""
    return any(name in said for name in _ENV)
