"""At which level loguru writes: its own handler begins at debug, and so does every one added."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from busctl.audit import Source

_LEVELS = {
    "TRACE": 5, "DEBUG": 10, "INFO": 20, "SUCCESS": 25, "WARNING": 30, "ERROR": 40, "CRITICAL": 50,
}  # fmt: skip
DEBUG = 10


def begins(source: Source) -> dict[str, list[int]] | None:
    """The levels of the handlers a file adds, and whether it removes the first one; None where it
    has nothing to do with loguru."""
    if "loguru" not in source.text:
        return None
    levels: list[int] = []
    removed = 0
    for call in source.nodes(ast.Call):
        name = source.called(call)
        if name == "loguru.logger.remove":
            removed = 1
        elif name == "loguru.logger.add":
            given = [word.value for word in call.keywords if word.arg == "level"]
            levels += [level for each in given for level in _level(source, each)]
            if not given:
                levels.append(DEBUG)
        elif name == "loguru.logger.configure":
            levels += _configured(source, call)
    return {"levels": levels, "removed": [removed]}


def _configured(source: Source, call: ast.Call) -> Iterator[int]:
    """`logger.configure(handlers=[{"sink": …, "level": …}])`."""
    for handler in source.within(call, ast.Dict):
        given = [
            value for key, value in zip(handler.keys, handler.values, strict=True)
            if isinstance(key, ast.Constant) and key.value == "level"
        ]  # fmt: skip
        for each in given:
            yield from _level(source, each)


def _level(source: Source, value: ast.expr) -> list[int]:
    if isinstance(value, ast.Constant):
        if isinstance(value.value, int):
            return [value.value]
        return [_LEVELS[value.value]] if value.value in _LEVELS else []
    if not isinstance(value, ast.Name):
        return []
    return [
        level for given in source.nodes(ast.Assign) if isinstance(given.value, ast.Constant)
        if any(isinstance(each, ast.Name) and each.id == value.id for each in given.targets)
        for level in _level(source, given.value)
    ]  # fmt: skip


def writes_debug(source: Source, calls: list[ast.Call]) -> bool:
    """Whether all of these are debug lines of loguru."""
    return bool(calls) and all(source.called(call) == "loguru.logger.debug" for call in calls)
