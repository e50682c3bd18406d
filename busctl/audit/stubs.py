"""What makes a function a stub: a body that does nothing, or says that it is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from busctl.audit.source import Function

# Decorators under which a body of `pass` still is what runs.
_TRANSPARENT = {
    "property", "cached_property", "staticmethod", "classmethod", "abstractmethod",
    "abstractproperty", "abstractclassmethod", "abstractstaticmethod", "override", "final",
    "contextmanager", "asynccontextmanager", "no_type_check", "lru_cache", "cache", "overload",
}  # fmt: skip
_ABSTRACT = {
    "abstractmethod", "abstractproperty", "abstractclassmethod", "abstractstaticmethod",
}  # fmt: skip
_NAMED_SO = re.compile(
    r"^_*(?:Skip|Ignore|Frozen|Immutable|Disabled?|Suppress)(?=[A-Z]|$)"
    r"|(?<![A-Za-z])(?:no|null|noop|non)_"
    r"|(?:No|Non|Null|Muted?|Dummy|Fake|Mock|Silent|Quiet|Without|Read[Oo]nly|No[Oo]p|Disabled)"
    r"(?=[A-Z_]|$)|less(?=[A-Z_]|$)|Not_?[Ss]upported|Unsupported"
)
_ASKS = re.compile(
    r"implement|subclass|overrid|abstract|must (?:be|define|provide)|derived|child class|todo|yet\b"
    r"|stub|placeholder|mixin",
    re.IGNORECASE,
)
_SAID_BESIDE = re.compile(
    r"\b(?:no-?op|do(?:es)? not|never|nothing|no need|not (?:needed|used|required))\b|n't\b",
    re.IGNORECASE,
)
_SAID_SO = re.compile(
    r"\b(?:disabl\w+|suppress\w*|silenc\w+|intentional\w*|deliberate\w*|on purpose|by design"
    r"|read[- ]only|not supported|unsupported|not applicable|not allowed|no longer"
    r"|never called|not needed|nothing to do)\b",
    re.IGNORECASE,
)


def plain(decorators: Iterable[str]) -> bool:
    """Whether none of these decorators (their last names) could give a stub a behaviour."""
    return all(each in _TRANSPARENT for each in decorators)


def abstract(decorators: Iterable[str]) -> bool:
    """Whether one of these decorators marks an abstract method."""
    return any(each in _ABSTRACT for each in decorators)


def stub_kind(node: Function) -> str:
    """`pass`, `...`, `docstring`, `return None` or `NotImplementedError`; "" for a real body.

    One that says anything but "implement me" (`raise NotImplementedError("the server does this
    itself")`) is real: it refuses on purpose. A constant other than None is an answer.
    """
    body = node.body
    if ast.get_docstring(node, clean=False) is not None:
        body = body[1:]
        if not body:
            return "docstring"
    while len(body) > 1 and isinstance(body[0], (ast.Delete, ast.Pass)):
        body = body[1:]
    return _kind(body[0], alone=len(body) == 1)


def _kind(statement: ast.stmt, *, alone: bool) -> str:
    match statement:
        case ast.Pass() if alone:
            return "pass"
        case ast.Delete() if alone:
            return "pass"
        case ast.Expr(value=ast.Constant(value=value)) if value is ... and alone:
            return "..."
        case ast.Return(value=None) | ast.Return(value=ast.Constant(value=None)):
            return "return None"
        case ast.Raise(exc=ast.expr() as raised):
            return "NotImplementedError" if _not_implemented(raised) else ""
    return ""


def _not_implemented(raised: ast.expr) -> bool:
    said = ""
    if isinstance(raised, ast.Call):
        said = " ".join(
            each.value
            for argument in raised.args
            for each in ast.walk(argument)
            if isinstance(each, ast.Constant) and isinstance(each.value, str)
        )
        raised = raised.func
    name = raised.id if isinstance(raised, ast.Name) else getattr(raised, "attr", "")
    if name not in {"NotImplementedError", "NotImplemented"} or _SAID_SO.search(said):
        return False
    return len(said.split()) < 3 or bool(_ASKS.search(said))


def is_no_op_on_purpose(name: str, said: str | None) -> bool:
    """Whether a class's name, or a docstring or comment, says that doing nothing is the point."""
    if name and _NAMED_SO.search(name):
        return True
    return bool(said and _SAID_SO.search(said))


def says_why(comment: str) -> bool:
    """Whether a comment beside a stub gives the reason for its doing nothing, rather than asking
    somebody to fill it in."""
    if _ASKS.search(comment):
        return False
    return bool(_SAID_SO.search(comment) or _SAID_BESIDE.search(comment))


_GETS = re.compile(r"^_*(?:get|find|lookup|look_up|fetch|first|last|next|prev\w*|parent|default)_?")


def answers_none(name: str, kind: str) -> bool:
    """`return None` from a lookup is an answer: there is none."""
    return kind == "return None" and bool(_GETS.search(name))
