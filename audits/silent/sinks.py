"""Where an error can be told: logs and their levels, wrapped loggers, prints, exits, callbacks."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from enum import IntEnum
from weakref import WeakKeyDictionary

from audits.silent.guarded import functions
from audits.silent.words import COUNTING, NOT_TELLING, QUIET, TELLING, words
from busctl.audit import Source, walk


class Loudness(IntEnum):
    """How far a call carries what it is told."""

    NONE = 0
    DEBUG = 1
    INFO = 2
    HEARD = 3
    """Warning or above, a print, an exit, a callback for errors, a metric."""


_WORD = re.compile(r"[A-Za-z]+")
_EXITS = {"sys.exit", "exit", "quit", "os._exit", "os.abort", "abort", "breakpoint"}
_LOGGING = {"log", "logger", "logging", "_log", "_logger", "LOG", "LOGGER"}
_LEVELS = {
    "DEBUG": Loudness.DEBUG, "NOTSET": Loudness.DEBUG, "TRACE": Loudness.DEBUG,
    "INFO": Loudness.INFO,
}  # fmt: skip
_STRAIGHT = (ast.FunctionDef, ast.AsyncFunctionDef, ast.With, ast.AsyncWith)
_INFO = frozenset({"info", "notice", "success"})


def loudness(source: Source, call: ast.Call) -> Loudness:
    """How loud one call is by its own name and arguments."""
    name = source.called(call)
    if not name:
        return _of_method(call)
    last = name.rpartition(".")[2]
    if name in _EXITS or last in {"exit", "_exit", "abort"}:
        return Loudness.HEARD
    if last in {"log", "_log", "write_log"}:
        return _of_level(source, call)
    found = _of_words(words(last), name)
    return Loudness.NONE if found is Loudness.INFO and not _is_text(name, call) else found


def _is_text(name: str, call: ast.Call) -> bool:
    """`log.info(…)`, or `self.info("…")`: not `filesystem.info(path)`."""
    first = call.args[0] if call.args else None
    told = isinstance(first, ast.JoinedStr) or (
        isinstance(first, ast.Constant) and isinstance(first.value, str)
    )
    return told or is_logger(name)


def _of_method(call: ast.Call) -> Loudness:
    """A method of something that has no name: `get_logger(x)[0].debug()`."""
    if isinstance(call.func, ast.Attribute):
        return _of_words(words(call.func.attr), call.func.attr)
    return Loudness.NONE


_ASYNC = {f"a{word}": word for word in (
    "debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log",
)}  # fmt: skip
"""Loggers for async code put an `a` before each method."""


def _of_words(said: frozenset[str], name: str) -> Loudness:
    said = frozenset(_ASYNC.get(word, word) for word in said)
    if said & QUIET:
        return Loudness.DEBUG
    if name.startswith(("sys.stderr.", "sys.stdout.")):
        return Loudness.HEARD
    if said & TELLING and not said & NOT_TELLING:
        return Loudness.HEARD
    if said & COUNTING and len(said) <= 3 and not said & {"get", "list"}:
        return Loudness.HEARD
    return Loudness.INFO if said & _INFO and len(said) <= 2 else Loudness.NONE


def _of_level(source: Source, call: ast.Call) -> Loudness:
    """`log(level, …)`: an unknown level is given the benefit of the doubt."""
    named = [word.value for word in call.keywords if word.arg in ("level", "severity")]
    for argument in [*call.args[:1], *named]:
        if isinstance(argument, (ast.Name, ast.Attribute)):
            level = source.dotted(argument).rpartition(".")[2].upper()
            if level in _LEVELS:
                return _LEVELS[level]
        if isinstance(argument, ast.Constant) and type(argument.value) is int:
            return Loudness.HEARD if argument.value >= 30 else _below(argument.value)
        if isinstance(argument, ast.Constant) and str(argument.value).upper() in _LEVELS:
            return _LEVELS[str(argument.value).upper()]
    return Loudness.HEARD


def _below(level: int) -> Loudness:
    return Loudness.INFO if level >= 20 else Loudness.DEBUG


def is_logger(name: str) -> bool:
    """Whether a dotted name is a logger's method, or prints: `self._logger.error`, `print`."""
    holder, _, last = name.rpartition(".")
    return last in {"print", "echo", "secho"} or bool(
        words(holder) & {"log", "logger", "logging", "console"}
    )


_known: WeakKeyDictionary[Source, dict[str, Loudness]] = WeakKeyDictionary()


def wrapped(source: Source) -> Mapping[str, Loudness]:
    """How loud the file's own functions are, by name: a wrapper of `logger.debug` is as quiet as
    that, a function that logs a warning or raises tells for its caller."""
    found = _known.get(source)
    if found is None:
        found = _known[source] = {each.name: Loudness.NONE for each in functions(source)}
        for raised in source.nodes(ast.Raise):
            if not _unfinished(raised) and isinstance(source.parent(raised), _STRAIGHT):
                _note(source, raised, Loudness.HEARD, found)
        for call in source.nodes(ast.Call):
            loud = loudness(source, call)
            if loud is not Loudness.NONE:
                _note(source, call, loud, found)
    return found


def _note(source: Source, node: ast.AST, loud: Loudness, found: dict[str, Loudness]) -> None:
    function = source.function(node)
    if function is not None and found[function.name] < loud:
        found[function.name] = loud


def _unfinished(node: ast.Raise) -> bool:
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def message_of(call: ast.Call) -> str:
    """The text of a log call, of all its string parts."""
    return " ".join(
        node.value
        for argument in call.args
        for node in walk(argument)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def message_words(message: str) -> frozenset[str]:
    """The lower-case words of a message."""
    return frozenset(word.lower() for word in _WORD.findall(message))
