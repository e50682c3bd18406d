"""What a handler does about the error it holds, and whether anyone can see it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from audits.silent.guarded import Guarded, inside
from audits.silent.sinks import Loudness, loudness, message_of, wrapped
from audits.silent.words import CLEANUP, COUNTING, FAILURE, group, words
from busctl.audit import Source, walk

_TOLD = group(
    "error errors err failed failure failures status exc exception problem problems warning "
    "warnings invalid reason message detail success ok faults skipped dropped rejected unhealthy "
    "unserializable unserialized unreadable unavailable unreachable unparsable unusable"
)
_CODES = group("error failed failure invalid cannot malformed wrong undeliverable unreachable")
_TRACEBACK = {"exc_info", "format_exc", "format_exception"}
_RAISED = {"sys.exc_info", "traceback.format_exc", "traceback.format_exception"}
_PLAIN = group(
    "str int float bool dict list set tuple frozenset repr len bytes type isinstance getattr "
    "sleep uniform random randint append add format time monotonic now get pop "
    "items keys values copy deepcopy"
)


@dataclass(slots=True)
class Reaction:
    """`seen` says how the error comes to light, "" where it does not. `effect` is how the handler
    ends: pass, return, continue, break, assign or act."""

    seen: str = ""
    effect: str = "pass"
    value: ast.expr | None = None
    """What is returned, yielded or assigned instead."""
    targets: tuple[str, ...] = ()
    quiet: list[ast.Call] = field(default_factory=list)
    level: Loudness = Loudness.NONE
    calls: list[ast.Call] = field(default_factory=list)
    """What it does besides logging: another way to the same end, or tidying up."""
    gathers: bool = False
    """Whether it puts something where the body would have put its result: `found.append(raw)`."""

    @property
    def said(self) -> str:
        """The text of its quiet logs."""
        return " ".join(message_of(call) for call in self.quiet)

    @property
    def tidies(self) -> bool:
        """Whether all it does is to close and remove."""
        return bool(self.calls) and all(_words_of(call) & CLEANUP for call in self.calls)


def reaction(source: Source, one: Guarded) -> Reaction:
    """Read a handler's body once."""
    found = Reaction()
    quiet: set[ast.AST] = set()
    for node in inside(one.answer):
        found.seen = found.seen or _seen(source, node)
        if isinstance(node, ast.Call):
            _note_call(source, node, found, quiet)
    found.seen = found.seen or _kept(one, frozenset(quiet))
    _note_effect(one.answer, found)
    found.seen = found.seen or _told_by_value(found)
    return found


def _words_of(call: ast.Call) -> frozenset[str]:
    function = call.func
    if isinstance(function, ast.Attribute):
        return words(function.attr)
    return words(function.id) if isinstance(function, ast.Name) else frozenset()


def _seen(source: Source, node: ast.AST) -> str:
    if isinstance(node, (ast.Raise, ast.Assert)):
        return "raises"
    if isinstance(node, (ast.Yield, ast.YieldFrom)):
        return "yields an answer"
    if isinstance(node, ast.AugAssign):
        said = words(_name(node.target))
        return "counts it" if said & (_TOLD | COUNTING) else ""
    if isinstance(node, ast.Assign):
        return _seen_in_assignment(node)
    return ""


def _seen_in_assignment(node: ast.Assign) -> str:
    """`self._failed = True`, `result["error"] = …`: a state somebody reads."""
    if isinstance(node.value, ast.Constant) and node.value.value is None:
        return ""
    for target in node.targets:
        said = words(_name(target))
        if isinstance(target, ast.Subscript):  # `errors["base"] = …`
            said |= words(_name(target.value))
        if isinstance(target, (ast.Attribute, ast.Subscript)) and said & _TOLD:
            return f"stores {_name(target)}"
    return ""


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        key = node.slice
        return str(key.value) if isinstance(key, ast.Constant) else _name(node.value)
    return node.id if isinstance(node, ast.Name) else ""


def _note_call(source: Source, call: ast.Call, found: Reaction, quiet: set[ast.AST]) -> None:
    name = source.called(call) or "a call"
    if name in _RAISED:
        return
    holder = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    loud = _carried(source, call, name)
    if holder is not call.func and words(_name(holder)) & _TOLD:
        found.seen = found.seen or f"collects it in {_name(holder)}"
    elif loud is Loudness.HEARD or (loud is Loudness.NONE and _says(call)):
        found.seen = found.seen or f"tells by {name}"
    elif loud is not Loudness.NONE:
        found.quiet.append(call)
        quiet.add(call)
        found.level = max(found.level, loud)
    elif name.endswith((".append", ".add")):
        found.gathers = True
    elif not _words_of(call) <= _PLAIN:
        found.calls.append(call)


def _carried(source: Source, call: ast.Call, name: str) -> Loudness:
    """How loud a call is, by what the file's own function of that name does where it is one: a
    wrapper of a debug log is quiet whatever it is called, one that raises or warns is heard."""
    loud = loudness(source, call)
    if not _is_own(name):
        return loud
    own = wrapped(source).get(name.rpartition(".")[2])
    if own is Loudness.HEARD:
        return own
    quiet = own in (Loudness.DEBUG, Loudness.INFO)
    if own is not None and quiet and (loud is Loudness.HEARD or _is_logger(name)):
        return own
    return loud


def _says(call: ast.Call) -> bool:
    """`self.write("broken request")`: a text about the failure goes somewhere."""
    said = message_of(call)
    return " " in said.strip() and bool(FAILURE.search(said))


def _is_own(name: str) -> bool:
    """A function of this file, or a method of this object."""
    return "." not in name or name.startswith(("self.", "cls."))


def _is_logger(name: str) -> bool:
    return bool(words(name) & {"log", "logging", "dbg", "debug"})


def _kept(one: Guarded, quiet: frozenset[ast.AST]) -> str:
    """Where the exception itself goes, apart from a quiet log or a question about its type."""
    asked = {node.test for node in inside(one.answer) if isinstance(node, (ast.If, ast.IfExp))}
    for node in inside(one.answer, quiet | asked):
        if isinstance(node, ast.Name) and node.id == one.bound and one.bound:
            return f"keeps {one.bound}"
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in _TRACEBACK:
            return "keeps the traceback"
    return ""


def _note_effect(answer: Sequence[ast.stmt], found: Reaction) -> None:
    for node in inside(answer):
        if isinstance(node, ast.Return):
            found.effect, found.value = "return", node.value
            return
        if isinstance(node, (ast.Continue, ast.Break)):
            found.effect = "continue" if isinstance(node, ast.Continue) else "break"
            return
    for node in answer:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.effect, found.value = "assign", node.value
            found.targets += tuple(ast.unparse(target) for target in targets)
    if found.effect == "pass" and found.calls:
        found.effect = "act"


def tells_by_return(statement: ast.stmt) -> bool:
    """Whether a statement returns a value that says that something failed."""
    if not isinstance(statement, ast.Return):
        return False
    return _told_by_value(Reaction(effect="return", value=statement.value)) == "returns an error"


def _told_by_value(found: Reaction) -> str:
    """Whether what is returned says that something failed."""
    value = found.value
    if value is None or found.effect not in ("return", "assign"):
        return ""
    for node in walk(value):
        if _is_text(node):
            return "returns a message" if found.effect == "return" else ""
        if found.effect == "return" and _is_code(node):
            return "returns an error"
        if isinstance(node, ast.Dict) and any(
            isinstance(key, ast.Constant) and words(str(key.value)) & _TOLD for key in node.keys
        ):
            return "returns an error"
        if isinstance(node, ast.Call) and found.effect == "return":
            said = _words_of(node) | {word.arg for word in node.keywords if word.arg}
            if said & (_TOLD | {"response", "failed", "status_code", "refused"}):
                return "returns an error"
        if isinstance(node, (ast.Name, ast.Attribute)) and words(_name(node)) & (
            _TOLD - {"message", "detail", "ok", "success"}
        ):
            return "returns an error"
    return ""


def _is_text(node: ast.AST) -> bool:
    """A string of more than a word: something for a reader."""
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, str) and " " in value.strip() and len(value) > 8


def _is_code(node: ast.AST) -> bool:
    """`"cannot_connect"`: an error by its name."""
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, str) and bool(words(value) & _CODES)
