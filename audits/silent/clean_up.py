"""Whether code is there to tidy up, where a failure has nobody left to serve."""

from __future__ import annotations

import ast

from busctl.audit import Function, Source

_WORDS = (
    "close", "cleanup", "clean_up", "shutdown", "stop", "teardown", "tear_down", "dispose",
    "terminate", "kill", "cancel", "disconnect", "release", "drain", "__exit__", "__aexit__",
    "__del__", "atexit", "finalize", "abort",
)  # fmt: skip


def is_clean_up(source: Source, node: ast.AST, around: Function) -> bool:
    """Whether the function's name says so, or the node stands in a `finally` or `except`."""
    name = around.name.lower()
    if any(word in name for word in _WORDS):
        return True
    inner: ast.AST = node
    for outer in source.parents(node):
        if outer is around:
            return False
        if isinstance(outer, ast.ExceptHandler):
            return True
        if isinstance(outer, ast.Try) and inner in outer.finalbody:
            return True
        inner = outer
    return False
