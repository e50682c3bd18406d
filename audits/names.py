"""Which function a call names, as far as one file shows: absolute names (`package.module.f`)."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from busctl.audit import FUNCTIONS, Function, Source

OWN = ("self", "cls")


def functions(source: Source) -> Iterator[Function]:
    """Every function of a file, plain ones first."""
    yield from source.nodes(ast.FunctionDef)
    yield from source.nodes(ast.AsyncFunctionDef)


@lru_cache(maxsize=4)
def is_test(source: Source) -> bool:
    """Whether the file is one of tests, by its path or by what it imports."""
    return source.is_test or any(
        origin.partition(".")[0] in ("pytest", "unittest") for origin in source.imports.values()
    )


def called_last(call: ast.Call) -> str:
    """The last part of the name that is called, as it is written there."""
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


@lru_cache(maxsize=4)
def _by_last(source: Source) -> Mapping[str, list[ast.Call]]:
    found: dict[str, list[ast.Call]] = {}
    for call in source.nodes(ast.Call):
        func = call.func
        if isinstance(func, ast.Attribute):
            found.setdefault(func.attr, []).append(call)
        elif isinstance(func, ast.Name):
            found.setdefault(source.imports.get(func.id, func.id).rpartition(".")[2], []).append(
                call
            )
    return found


def calls_of(source: Source, lasts: Iterable[str]) -> Iterator[ast.Call]:
    """The calls whose last name, as it is defined, is one of these: `run` for `subprocess.run`."""
    found = _by_last(source)
    for last in lasts:
        yield from found.get(last, ())


@lru_cache(maxsize=4)
def symbols(source: Source) -> Mapping[Function, str]:
    """The qualified name in the file of each function."""
    return {node: source.symbol(node) for node in functions(source)}


@lru_cache(maxsize=4)
def definitions(source: Source) -> Mapping[str, Function]:
    """The functions of a file by their qualified name in it, the last of each name."""
    return {symbol: node for node, symbol in symbols(source).items()}


@lru_cache(maxsize=4)
def _own_names(source: Source) -> frozenset[str]:
    """What functions of the file are called: other names need no search through scopes."""
    return frozenset(node.name for node in functions(source))


@lru_cache(maxsize=4)
def class_symbols(source: Source) -> Mapping[ast.ClassDef, str]:
    """The qualified name in the file of each class."""
    return {node: source.symbol(node) for node in source.nodes(ast.ClassDef)}


@lru_cache(maxsize=4)
def _classes(source: Source) -> frozenset[str]:
    return frozenset(class_symbols(source).values())


def target(source: Source, call: ast.Call) -> str:
    """The absolute name of what is called, "" when the file does not show it. A name from another
    library is one too: nobody defines it in the project."""
    func = call.func
    if isinstance(func, ast.Name):
        return _named(source, call, func.id)
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        return _of_owner(source, call, func.value.id, func.attr)
    if isinstance(func, ast.Attribute) and _top(func) in source.imports:
        return source.dotted(func)
    return ""


def _top(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _named(source: Source, call: ast.Call, name: str) -> str:
    known, names = definitions(source), _own_names(source)
    if name not in names:
        return source.imports.get(name, "")
    for around in source.parents(call):
        if isinstance(around, FUNCTIONS):
            if name in parameters(around):
                return ""
            inner = f"{symbols(source)[around]}.{name}"
            if inner in known:
                return f"{source.module}.{inner}"
    if name in known:
        return f"{source.module}.{name}"
    return source.imports.get(name, "")


def _of_owner(source: Source, call: ast.Call, owner: str, attribute: str) -> str:
    if owner in OWN:
        around = source.class_of(call)
        return f"{source.module}.{class_symbols(source)[around]}.{attribute}" if around else ""
    if owner in _classes(source):
        return f"{source.module}.{owner}.{attribute}"
    if owner in source.imports:
        return f"{source.imports[owner]}.{attribute}"
    return ""


def parameters(function: Function) -> set[str]:
    """The names of all parameters."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return {one.arg for one in every if one is not None}


def absolute(source: Source, node: ast.expr) -> str:
    """The absolute name of a class named in this file; "" for what is no name."""
    if isinstance(node, ast.Subscript):
        node = node.value
    name = source.dotted(node)
    return f"{source.module}.{name}" if name in _classes(source) else name
