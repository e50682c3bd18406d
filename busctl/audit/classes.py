"""What a file says of its classes: their bases, their methods, and what their names stand for.

Facts only; `hierarchy` puts those of all files together.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from busctl.audit.rule import Facts
from busctl.audit.source import FUNCTIONS, Function, Source
from busctl.audit.stubs import (
    abstract,
    answers_none,
    is_no_op_on_purpose,
    plain,
    says_why,
    stub_kind,
)

OPAQUE = ""
"""Stands for a name or base that only running the code would tell."""


class ClassFacts(Facts):
    """`{"module", "names": {name: dotted}, "stars": [module], "patched": [dotted], "classes":
    [...]}`; a class has `name` (qualified), its place, `bases` (dotted), `members` and flags."""

    def collect(self, source: Source) -> Any:
        if source.path.endswith(".pyi"):
            return None
        names, stars = module_names(source)
        seen = _Seen(_calling_super(source), _assigned(source))
        classes = [_class(source, names, each, seen) for each in source.nodes(ast.ClassDef)]
        if not (names or stars or classes):
            return None
        return {
            "module": source.module, "names": names, "stars": stars, "classes": classes,
            "patched": list(_patched(source)),
        }  # fmt: skip


# --- names of a module ---------------------------------------------------------------------------


def module_names(source: Source) -> tuple[dict[str, str], list[str]]:
    """What the names bound at module level stand for (OPAQUE where that depends), and the
    modules imported with a star."""
    names: dict[str, str] = {}
    stars: list[str] = []
    for statement in running(source.tree.body):
        for name, target in _bound(source, statement):
            if name == "*":
                stars.append(target)
            else:
                names[name] = target if names.get(name, target) == target else OPAQUE
    return names, stars


def running(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block and of the blocks in it that run with it: not those of functions
    and classes, not what is there for type checkers alone."""
    for statement in body:
        if isinstance(statement, ast.If) and for_type_checkers(statement):
            yield from running(statement.orelse)
            continue
        yield statement
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            continue
        for block in _blocks(statement):
            yield from running(block)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        if block := getattr(statement, name, None):
            yield block
    for each in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield each.body


def for_type_checkers(statement: ast.If) -> bool:
    """Whether this is `if TYPE_CHECKING:`."""
    test = statement.test
    name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", "")
    return name == "TYPE_CHECKING"


def _bound(source: Source, statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """The names a statement binds and what they stand for; `*` for a star import."""
    match statement:
        case ast.Import() | ast.ImportFrom():
            yield from _imported(source, statement)
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name, f"{source.module}.{name}".lstrip(".")
        case ast.Assign():
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, _alias(source, statement.value, target.id)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, _alias(source, value, name)


def _imported(source: Source, statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            top = alias.name.partition(".")[0]
            yield alias.asname or top, alias.name if alias.asname else top
            continue
        base = source.absolute(statement)
        if alias.name == "*":
            yield "*", base
        else:
            yield alias.asname or alias.name, f"{base}.{alias.name}".lstrip(".")


def _alias(source: Source, value: ast.expr, name: str) -> str:
    if isinstance(value, ast.Subscript):
        value = value.value
    if not isinstance(value, (ast.Name, ast.Attribute)):
        return OPAQUE
    dotted = source.dotted(value)
    if isinstance(value, ast.Name) and dotted == value.id:
        if value.id == name:
            return OPAQUE
        return value.id if value.id == "object" else f"{source.module}.{value.id}".lstrip(".")
    return dotted


def _patched(source: Source) -> Iterator[str]:
    """`Class.method = …` and `setattr(Class, …)` outside of the class, as
    `module.Class.method`; `*` for a name that only a run would tell."""
    for each in source.nodes(ast.Assign):
        for target in each.targets:
            if (
                isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
                and target.value.id[:1].isupper()
            ):  # fmt: skip
                yield f"{_named(source, target.value)}.{target.attr}"
    for call in source.nodes(ast.Call):
        match call:
            case ast.Call(func=ast.Name(id="setattr"), args=[ast.Name() as owner, name, _]):
                said = str(name.value) if isinstance(name, ast.Constant) else "*"
                yield f"{_named(source, owner)}.{said}"


def _named(source: Source, owner: ast.Name) -> str:
    return source.imports.get(owner.id) or f"{source.module}.{owner.id}"


# --- one class -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one pass over a file found, by the identity of the function or class it is in."""

    calling_super: set[int]
    assigned: dict[int, set[str]]


def _class(
    source: Source, names: dict[str, str], node: ast.ClassDef, seen: _Seen
) -> dict[str, Any]:
    span = source.span(node)
    bases = [_base(source, names, node, base) for base in node.bases]
    keywords = {each.arg or "**": each.value for each in node.keywords}
    meta = source.dotted(keywords["metaclass"]) if "metaclass" in keywords else ""
    return {
        "name": source.symbol(node), "line": span.line, "column": span.column,
        "anchor": " ".join(source.line(span.line).split()),
        "bases": bases,
        "abc": meta.endswith("ABCMeta") or "abc.ABC" in bases,
        "protocol": any(base.endswith("typing.Protocol") or base == "typing_extensions.Protocol"
                        for base in bases),
        "dynamic": "**" in keywords or (bool(keywords.get("metaclass")) and "ABCMeta" not in meta),
        "decorators": [source.dotted(_undecorated(each)) for each in node.decorator_list],
        "on_purpose": is_no_op_on_purpose(node.name, ast.get_docstring(node, clean=False)),
        "members": _members(source, node, seen),
        "assigned": sorted(seen.assigned.get(id(node), set()) | _fields(source, node)),
        "test": source.is_test,
    }  # fmt: skip


def _undecorated(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _base(source: Source, names: dict[str, str], node: ast.ClassDef, base: ast.expr) -> str:
    if isinstance(base, ast.Subscript):
        base = base.value
    parts: list[str] = []
    while isinstance(base, ast.Attribute):
        parts.insert(0, base.attr)
        base = base.value
    if not isinstance(base, ast.Name):
        return OPAQUE
    first = _local(source, node, base.id)
    if first is None:
        first = names.get(base.id)
    if first is None:
        # Of a star import, or a builtin: the hierarchy looks it up in the module.
        first = f"{source.module}.{base.id}".lstrip(".")
    return ".".join([first, *parts]) if first else OPAQUE


def _local(source: Source, node: ast.ClassDef, name: str) -> str | None:
    """What a name stands for in the scopes around a class; None for one of the module."""
    for around in source.parents(node):
        if isinstance(around, ast.ClassDef):
            if any(isinstance(one, ast.ClassDef) and one.name == name for one in around.body):
                return _qualified(source, around, name)
        elif isinstance(around, FUNCTIONS):
            found = _in_function(source, around, name)
            if found is not None:
                return found
    return None


def _in_function(source: Source, function: Function, name: str) -> str | None:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if any(each.arg == name for each in every):
        return OPAQUE
    found: set[str] = set()
    for statement in running(function.body):
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            found.add(_qualified(source, function, name))
        else:
            found.update(target for bound, target in _bound(source, statement) if bound == name)
            if _stores(statement, name):
                found.add(OPAQUE)
    return None if not found else found.pop() if len(found) == 1 else OPAQUE


def _stores(statement: ast.stmt, name: str) -> bool:
    targets: list[ast.expr] = []
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        targets = [statement.target]
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        targets = [each.optional_vars for each in statement.items if each.optional_vars]
    elif isinstance(statement, ast.Assign):
        targets = [each for each in statement.targets if isinstance(each, ast.Tuple)]
    return any(
        isinstance(each, ast.Name) and each.id == name
        for target in targets
        for each in ast.walk(target)
    )


def _qualified(source: Source, scope: ast.AST, name: str) -> str:
    return f"{source.module}.{source.symbol(scope)}.{name}".lstrip(".")


def _generates(source: Source, node: ast.ClassDef) -> bool:
    """Whether a decorator or base writes an `__init__` that sets the annotated fields."""
    decorators = (source.dotted(_undecorated(each)) for each in node.decorator_list)
    return any(generates_fields(each) for each in decorators) or any(
        source.dotted(each).rpartition(".")[2] == "BaseModel" for each in node.bases
    )


def generates_fields(decorator: str) -> bool:
    """Whether a decorator writes `__init__`, `__repr__` and their like, as `dataclass` does."""
    return decorator.rpartition(".")[2] == "dataclass" or decorator in {
        "attr.s", "attr.attrs", "attr.define", "attr.frozen", "attr.mutable",
        "attrs.define", "attrs.frozen", "attrs.mutable",
    }  # fmt: skip


def _fields(source: Source, node: ast.ClassDef) -> set[str]:
    """The annotated names of a class that every instance is given."""
    if not _generates(source, node):
        return set()
    return {
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }


def _members(source: Source, node: ast.ClassDef, seen: _Seen) -> dict[str, dict[str, Any]]:
    members: dict[str, dict[str, Any]] = {}
    plainly = {id(each) for each in _unconditional(node.body)}
    for statement in running(node.body):
        sure = id(statement) in plainly
        for name, member in _member(source, statement, seen):
            if not sure:
                member = {"kind": "unsure", "line": statement.lineno}
            if member.get("kind") != "accessor":
                members[name] = member
            else:
                members.setdefault(name, {"kind": "value", "line": statement.lineno})
    return members


def _unconditional(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If) and for_type_checkers(statement):
            yield from _unconditional(statement.orelse)
        else:
            yield statement


def _member(
    source: Source, statement: ast.stmt, seen: _Seen
) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(statement, FUNCTIONS):
        yield statement.name, _method(source, statement, seen)
    elif isinstance(statement, ast.ClassDef):
        yield statement.name, {"kind": "value", "line": statement.lineno}
    elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        gives = _gives(source, source.parent(statement), statement.value)
        for target in targets:
            for each in ast.walk(target):
                if isinstance(each, ast.Name):
                    yield each.id, {"kind": "value", "line": statement.lineno, "gives": gives}
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        for name, _ in _bound(source, statement):
            yield name, {"kind": "value", "line": statement.lineno}


def _gives(source: Source, around: ast.AST | None, value: ast.expr) -> str:
    """`function` for what can stand for a method, `value` for anything else, "" for none."""
    match value:
        case ast.Constant(value=inner):
            return "" if inner is None or inner is ... else "value"
        case ast.Lambda():
            return "function"
        case ast.Call(func=ast.Name(id="property")):
            return "function"
        case ast.Name(id=name):
            near = (*getattr(around, "body", ()), *source.tree.body)
            here = any(isinstance(each, FUNCTIONS) and each.name == name for each in near)
            return "function" if here else "value"
    return "value"


def _method(source: Source, node: Function, seen: _Seen) -> dict[str, Any]:
    decorators = [source.dotted(_undecorated(each)) for each in node.decorator_list]
    lasts = [each.rpartition(".")[2] for each in decorators]
    if any(last in {"setter", "deleter", "getter", "register"} for last in lasts):
        return {"kind": "accessor", "line": node.lineno}
    kind = stub_kind(node) if plain(lasts) and "overload" not in lasts else ""
    return {
        "kind": "method", "line": node.lineno,
        "stub": "" if answers_none(node.name, kind) else kind,
        "abstract": abstract(lasts), "property": bool({"property", "cached_property"} & {*lasts}),
        "super": id(node) in seen.calling_super,
        "on_purpose": is_no_op_on_purpose("", ast.get_docstring(node, clean=False))
        or (kind != "" and any(says_why(one) for one in _comments(source, node))),
    }  # fmt: skip


def _comments(source: Source, node: Function) -> Iterator[str]:
    """The comments of a stub, without the tokenizer: it holds no text to mistake for one."""
    for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
        _, mark, comment = source.line(number).partition("#")
        if mark:
            yield comment


def _calling_super(source: Source) -> set[int]:
    """The functions of a file that call `super()`, by identity."""
    return {
        id(source.function(each))
        for each in source.nodes(ast.Call)
        if isinstance(each.func, ast.Name) and each.func.id == "super"
    }


def _assigned(source: Source) -> dict[int, set[str]]:
    """The attributes that the methods of each class set on `self`, by the class's identity."""
    found: dict[int, set[str]] = {}
    for each in source.nodes(ast.Attribute):
        if (
            isinstance(each.ctx, ast.Store) and isinstance(each.value, ast.Name)
            and each.value.id in {"self", "cls"}
        ):  # fmt: skip
            found.setdefault(id(source.class_of(each)), set()).add(each.attr)
    return found
