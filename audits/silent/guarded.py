"""The places of a file where exceptions stop: `except` clauses and `contextlib.suppress`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from busctl.audit import Function, Source, children

Try = ast.Try | ast.TryStar
With = ast.With | ast.AsyncWith
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, slots=True, eq=False)
class Guarded:
    """One such place. `node` is where a finding points; `types` are dotted names, none for a bare
    `except`; `body` may fail and `answer` is what is done about it, nothing for `suppress`."""

    node: ast.ExceptHandler | ast.Call
    statement: Try | With
    types: tuple[str, ...]
    bound: str | None
    body: Sequence[ast.stmt]
    answer: Sequence[ast.stmt]
    function: Function | None

    @property
    def suppressed(self) -> bool:
        return isinstance(self.node, ast.Call)


def guarded(source: Source) -> Iterator[Guarded]:
    """Every place of the file, `except` clauses first."""
    tuples: dict[str, tuple[str, ...]] | None = None
    tries: list[Try] = [*source.nodes(ast.Try), *source.nodes(ast.TryStar)]
    for statement in tries:
        for handler in statement.handlers:
            if tuples is None:
                tuples = _named_tuples(source)
            yield Guarded(
                handler, statement, _types(source, handler.type, tuples), handler.name,
                statement.body, handler.body, source.function(statement),
            )  # fmt: skip
    if "suppress" in source.text:
        yield from _suppressed(source, _named_tuples(source) if tuples is None else tuples)


def _suppressed(source: Source, tuples: dict[str, tuple[str, ...]]) -> Iterator[Guarded]:
    blocks: list[With] = [*source.nodes(ast.With), *source.nodes(ast.AsyncWith)]
    for statement in blocks:
        for item in statement.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and source.called(call) in {
                "contextlib.suppress", "suppress",
            }:  # fmt: skip
                types = tuple(one for each in call.args for one in _types(source, each, tuples))
                yield Guarded(
                    call, statement, types, None, statement.body, (), source.function(statement)
                )


def _named_tuples(source: Source) -> dict[str, tuple[str, ...]]:
    """`ERRORS = (KeyError, ValueError)` at module level."""
    found = {}
    for statement in source.tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Tuple):
            types = tuple(source.dotted(each) for each in statement.value.elts)
            for target in statement.targets:
                if isinstance(target, ast.Name) and all(types):
                    found[target.id] = types
    return found


def _types(
    source: Source, node: ast.expr | None, tuples: dict[str, tuple[str, ...]]
) -> tuple[str, ...]:
    if node is None:
        return ()
    if isinstance(node, ast.Starred):
        return _types(source, node.value, tuples)
    if isinstance(node, ast.Tuple):
        return tuple(one for each in node.elts for one in _types(source, each, tuples))
    if isinstance(node, ast.Name) and node.id in tuples:
        return tuples[node.id]
    return (source.dotted(node) or "an expression",)


def functions(source: Source) -> list[Function]:
    """Every function of the file, plain ones first."""
    return [*source.nodes(ast.FunctionDef), *source.nodes(ast.AsyncFunctionDef)]


def inside(
    statements: Sequence[ast.AST], skipped: frozenset[ast.AST] = frozenset()
) -> Iterator[ast.AST]:
    """Every node that runs with these statements: bodies of functions defined in them, and what
    is to be skipped, are left out. In the order of the text."""
    waiting = list(reversed(statements))
    while waiting:
        node = waiting.pop()
        if node in skipped:
            continue
        yield node
        if not isinstance(node, _NESTED):
            waiting.extend(reversed(children(node)))
