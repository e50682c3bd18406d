"""What makes a function a stub: a body that does nothing, or says that it is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

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
    r"(?=[A-Z_]|$)|(?<!Server)(?<!Head)(?<!Wire)(?<!Password)less(?=[A-Z_]|$)|Not_?[Ss]upported|Unsupported"
)
_ASKS = re.compile(
    r"implement|subclass|overrid|abstract|must (?:be|define|provide)|derived|child class|todo|yet\b"
    r"|stub|placeholder|mixin",
    re.IGNORECASE,
)
_ASKS_FIRMLY = re.compile(
    r"\b(?:must|should|needs? to|have to|has to)\b.{0,40}\b(?:implement|overrid|overload)"
    r"|\bnot (?:yet )?implemented\b|\babstract method\b",
    re.IGNORECASE | re.DOTALL,
)
_NOTHING = re.compile(
    r"\W*(?:an? )?(?:no-?op|do(?:es|ing)? nothing)\b(?!.*\bdefault)", re.IGNORECASE
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
    """`pass`, `...`, `docstring`, `return None`, `return NotImplemented`, `NotImplementedError`
    or `asks for an override`; "" for a real body.

    One that says anything but "implement me" (`raise NotImplementedError("the server does this
    itself")`) is real: it refuses on purpose. A constant other than None is an answer.
    """
    body = node.body
    if ast.get_docstring(node, clean=False) is not None:
        body = body[1:]
        if not body:
            return "docstring"
    said: list[ast.AST] = []
    while len(body) > 1 and (isinstance(body[0], (ast.Delete, ast.Pass)) or _says(body)):
        if isinstance(body[0], ast.Assign):
            said.append(body[0].value)
        body = body[1:]
    kind = _kind(body[0], said, alone=len(body) == 1)
    special = node.name.startswith("__") and node.name.endswith("__")
    return "" if special and kind == "return NotImplemented" else kind


def _says(body: Sequence[ast.stmt]) -> bool:
    """Whether a body begins with the text of the error that it then raises, or a log of it."""
    if not any(isinstance(each, ast.Raise) for each in body[1:3]):
        return False
    match body[0]:
        case ast.Assign(targets=[ast.Name()], value=ast.Constant() | ast.JoinedStr()):
            return True
        case ast.Assign(targets=[ast.Name()], value=ast.Call(args=[ast.Constant(value=str())])):
            return True  # `msg = _("…")`
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr))):
            return attr in {"debug", "info", "warning", "warn", "error", "exception", "critical"}
    return False


def _kind(statement: ast.stmt, said: Sequence[ast.AST], *, alone: bool) -> str:
    match statement:
        case ast.Pass() if alone:
            return "pass"
        case ast.Delete() if alone:
            return "pass"
        case ast.Expr(value=ast.Constant(value=value)) if value is ... and alone:
            return "..."
        case ast.Return(value=None) | ast.Return(value=ast.Constant(value=None)):
            return "return None"
        case ast.Return(value=ast.Name(id="NotImplemented")):
            return "return NotImplemented"
        case ast.If(test=ast.Constant(value=False), body=[ast.Expr(value=ast.Yield())]) if alone:
            return "pass"
        case ast.Assert(test=ast.Constant(value=False), msg=ast.expr() as message):
            return "asks for an override" if _ASKS_FIRMLY.search(_text([message])) else ""
        case ast.Raise(exc=ast.expr() as raised):
            return _raising(raised, said)
    return ""


def _raising(raised: ast.expr, said: Sequence[ast.AST]) -> str:
    name = raised.func if isinstance(raised, ast.Call) else raised
    text = _text([*(raised.args if isinstance(raised, ast.Call) else ()), *said])
    last = name.id if isinstance(name, ast.Name) else getattr(name, "attr", "")
    if _SAID_SO.search(text):
        return ""
    if last in {"NotImplementedError", "NotImplemented"}:
        return "NotImplementedError" if len(text.split()) < 3 or _ASKS.search(text) else ""
    return "asks for an override" if _ASKS_FIRMLY.search(text) else ""


def _text(parts: Iterable[ast.AST]) -> str:
    return " ".join(
        each.value
        for part in parts
        for each in ast.walk(part)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    )


def is_no_op_on_purpose(name: str, said: str | None) -> bool:
    """Whether a class's name, or a docstring or comment, says that doing nothing is the point."""
    if name and _NAMED_SO.search(name):
        return True
    return bool(said and (_SAID_SO.search(said) or _NOTHING.match(said)))


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
