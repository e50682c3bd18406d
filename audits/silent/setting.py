"""Where a handler stands: what its function is for, what it promises, what is written beside it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from audits.silent.guarded import Guarded
from audits.silent.words import (
    ACCESS,
    CACHE,
    CONFIG,
    LIMIT,
    MONEY,
    PREDICATE,
    SHOWN,
    TELEMETRY,
    TRIVIA,
    words,
)  # fmt: skip
from busctl.audit import FUNCTIONS, Source

_REASON = re.compile(r"noqa[^#—–-]*(?:#|—|–|\s-\s)\s*(?!pragma)\w+", re.IGNORECASE)
_CONTRACT = re.compile(
    r"\b(?:or|else|otherwise|returns?)\b[^.]{0,80}\b(?:none|null|false|empty|default|zero|0)\b"
    r"|\b(?:none|false|empty|default)\b[^.]{0,60}\b(?:if|when|on|unless)\b"
    r"|\bbest[- ]effort\b|\bsafely\b|\bif possible\b|\bfail[- ]?open\b|\bnever raises?\b"
    r"|\btr(?:y|ies) to\b",
    re.IGNORECASE,
)
_ENDS = frozenset({"close", "stop", "shutdown", "cleanup", "teardown", "exit", "disconnect",
                   "terminate", "dispose", "del", "unregister", "unsubscribe", "release",
                   "unwind", "kill", "aclose", "aexit", "sigterm", "sigint", "atexit",
                   "closed", "disconnected"})  # fmt: skip

_READERS = frozenset({"parse", "parser", "decode", "deserialize", "extract", "coerce", "convert",
                      "to", "as", "from", "loads", "normalize", "guess", "infer", "detect",
                      "serialize", "repair", "sniff"})  # fmt: skip


@dataclass(slots=True)
class Setting:
    """The words of the function's name and what they and its signature tell."""

    name: str = ""
    said: frozenset[str] = frozenset()
    holder: frozenset[str] = frozenset()
    """The words of the class and of the file's own name."""
    returns: str = ""
    docstring: str = ""
    documented: bool = False
    """The docstring promises the default or calls the thing best effort."""
    reasoned: bool = False
    """A lint exception with a reason stands on the `except` line: somebody decided this."""
    in_loop: ast.stmt | None = None
    in_finally: bool = False
    in_handler: bool = False
    in_class: str = ""
    whole: bool = False
    """The function is this try and little else."""
    is_async: bool = False

    @property
    def ends(self) -> bool:
        return bool(self.said & _ENDS)

    @property
    def shows(self) -> bool:
        return bool(self.said & SHOWN)

    @property
    def trivial(self) -> bool:
        return bool(self.said & TRIVIA)

    @property
    def probes(self) -> bool:
        return bool(self.said & PREDICATE)

    @property
    def reads(self) -> bool:
        """A function that is there to make sense of a text."""
        return bool(self.said & _READERS)

    @property
    def caches(self) -> bool:
        return bool(self.said & CACHE)

    @property
    def measures(self) -> bool:
        return bool((self.said | self.holder) & TELEMETRY)

    @property
    def optional(self) -> bool:
        return "None" in self.returns or "Optional" in self.returns


def setting(source: Source, one: Guarded) -> Setting:
    """Look around a handler."""
    function = one.function
    found = Setting(holder=_holder(source, one))
    found.reasoned = _is_reasoned(source, one.node.lineno)
    if function is not None:
        found.name = function.name
        found.said = words(function.name)
        found.returns = ast.unparse(function.returns) if function.returns else ""
        found.docstring = ast.get_docstring(function, clean=False) or ""
        found.documented = bool(_CONTRACT.search(found.docstring))
        found.is_async = isinstance(function, ast.AsyncFunctionDef)
        found.whole = _is_whole(function.body, one)
    _look_around(source, one, found)
    return found


def _is_reasoned(source: Source, line: int) -> bool:
    text = source.line(line)
    if "noqa" not in text:  # comments of a file are dear to read
        return False
    return bool(_REASON.search(source.comments.get(line, "")))


def _holder(source: Source, one: Guarded) -> frozenset[str]:
    holder = source.class_of(one.statement)
    said = words(source.path.rpartition("/")[2].removesuffix(".py"))
    folder = words(source.path.rpartition("/")[0].rpartition("/")[2])
    folder -= {"memory"}  # a topic, or what is just not on disk
    return said | folder | (words(holder.name) if holder else frozenset())


def _is_whole(body: list[ast.stmt], one: Guarded) -> bool:
    """Guards, at most one preparation, the try, and at most the return of what it found."""
    own = [each for each in body if not isinstance(each, (ast.Expr, ast.Import, ast.ImportFrom))]
    if one.statement not in own:
        return False
    position = own.index(one.statement)
    before = [each for each in own[:position] if not isinstance(each, ast.If)]
    after = own[position + 1 :]
    returns = any(isinstance(each, ast.Return) for each in one.answer)
    plain = not after or (
        len(after) == 1 and isinstance(after[0], ast.Return)
        and (returns or isinstance(after[0].value, (ast.Name, ast.Constant, ast.Attribute)))
    )  # fmt: skip
    return plain and len(before) <= 1


def _look_around(source: Source, one: Guarded, found: Setting) -> None:
    inner: ast.AST = one.statement
    for around in source.parents(one.statement):
        if isinstance(around, FUNCTIONS):
            break
        if isinstance(around, (ast.For, ast.AsyncFor, ast.While)) and inner in around.body:
            found.in_loop = found.in_loop or around
        if isinstance(around, ast.ExceptHandler):
            found.in_handler = True
        if isinstance(around, (ast.Try, ast.TryStar)) and inner in around.finalbody:
            found.in_finally = True
        inner = around


def comments(source: Source, one: Guarded) -> str:
    """What is written in the handler and on the line above its `except`."""
    first = one.node.lineno - 1
    last = max((each.end_lineno or 0 for each in one.answer), default=one.node.lineno)
    if one.suppressed:
        last = one.statement.body[0].lineno
    if not any("#" in source.line(line) for line in range(first, last + 1)):
        return ""
    kept = [
        said for line in range(first, last + 1)
        if (said := source.comments.get(line, "")) and "busctl: allow" not in said
    ]  # fmt: skip
    return " ".join(kept)


def domain(names: frozenset[str]) -> str:
    """What is at stake by the words of a name: "" where it is nothing of these."""
    for what, some in (
        ("money", MONEY), ("access", ACCESS), ("a limit", LIMIT), ("configuration", CONFIG),
    ):  # fmt: skip
        if names & some:
            return what
    return ""
