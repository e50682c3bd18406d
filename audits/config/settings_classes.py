"""Settings classes of pydantic: their prefix, their fields, the names those are read by."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

from audits.config.definitions import elements, last_name
from audits.config.parts import Scope, literal
from audits.config.takers import VARIABLE, place
from busctl.audit import Source

_GROUP = re.compile(r"(?:Config|Configuration|Settings|Options)$")


def settings(source: Source, scope: Scope) -> Iterator[dict[str, Any]]:
    known: set[str] = set()
    for one in source.nodes(ast.ClassDef):
        bases = [_base(source, each) for each in one.bases]
        if not any(each in known or "Settings" in each.rpartition(".")[2] for each in bases):
            continue
        known.add(f"{source.module}.{source.symbol(one)}")
        configuration = dict(_configuration(one))
        prefix = configuration.get("env_prefix")
        yield {
            "class": f"{source.module}.{source.symbol(one)}",
            "bases": bases,
            "prefix": scope.parts(prefix) if prefix is not None else None,
            "delimiter": literal(configuration.get("env_nested_delimiter")) or "",
            "fields": list(_fields(source, scope, one)),
        }


def _base(source: Source, node: ast.expr) -> str:
    dotted = source.dotted(node)
    return dotted if "." in dotted else f"{source.module}.{dotted}"


def _configuration(one: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for word in one.keywords:
        if word.arg:
            yield word.arg, word.value
    for statement in one.body:
        if isinstance(statement, ast.ClassDef) and statement.name == "Config":
            for each in statement.body:
                name, value = _assigned(each)
                if value is not None:
                    yield name, value
        name, value = _assigned(statement)
        if name == "model_config" and value is not None:
            yield from _entries(value)


def _entries(value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(value, ast.Call):
        yield from ((word.arg, word.value) for word in value.keywords if word.arg)
    elif isinstance(value, ast.Dict):
        for key, item in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value), item


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value
    return "", None


def _fields(source: Source, scope: Scope, one: ast.ClassDef) -> Iterator[dict[str, Any]]:
    for statement in one.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name = statement.target.id
        annotation = ast.unparse(statement.annotation)
        if name.startswith(("_", "model_config")) or "ClassVar" in annotation:
            continue
        value = statement.value
        if _takes_no_text(annotation, value):
            continue
        declared = [each for each in (value, *_annotated(statement.annotation))
                    if isinstance(each, ast.Call)]  # fmt: skip
        aliases = [alias for each in declared for alias in _aliases(each)]
        if isinstance(value, ast.Call) and not aliases:
            aliases = list(_named_in(value))
        default = _field_default(value)
        yield {
            "name": name,
            "aliases": aliases,
            "type": annotation,
            "default": scope.value(default) if default is not None else None,
            "at": place(source, statement.target),
            "value": place(source, default) if default is not None else None,
            "anchor": " ".join(source.line(statement.lineno).split()),
            "symbol": source.symbol(statement),
        }


def _takes_no_text(annotation: str, value: ast.expr | None) -> bool:
    """Whether a field holds what nobody writes into the environment: a class, another group of
    settings (whose own fields are read as GROUP__FIELD)."""
    default = _field_default(value)
    if isinstance(default, ast.Call):
        default = default.func
    if annotation == "type" or annotation.startswith(("type[", "Type[", "Callable")):
        return True
    if not isinstance(default, ast.Name) or default.id.isupper() or default.id.islower():
        return False
    return annotation == "object" or (
        default.id == annotation and _GROUP.search(annotation) is not None
    )


def _annotated(annotation: ast.expr) -> Iterable[ast.expr]:
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple):
        return annotation.slice.elts[1:]
    return ()


def _is_field(value: ast.Call) -> bool:
    return last_name(value.func).endswith("ield")


def _named_in(call: ast.Call) -> Iterator[str]:
    """Names that a project's own maker of fields is given: `setting(5, "APP_PORT PORT")`."""
    if _is_field(call) or last_name(call.func) in ("getenv", "get"):
        return
    for given in (*call.args, *(word.value for word in call.keywords)):
        text = literal(given)
        words = text.split() if isinstance(text, str) else []
        if words and all(VARIABLE.match(word) and "_" in words[0] for word in words):
            yield from words


def _aliases(call: ast.Call) -> Iterator[str]:
    for word in call.keywords:
        if word.arg not in ("alias", "validation_alias", "env"):
            continue
        value = word.value
        given = value.args if isinstance(value, ast.Call) else list(elements(value))
        for one in given:
            text = literal(one)
            if isinstance(text, str):
                yield text


def _field_default(value: ast.expr | None) -> ast.expr | None:
    if not isinstance(value, ast.Call):
        return value
    if not _is_field(value) and not list(_named_in(value)):
        return value
    for word in value.keywords:
        if word.arg in ("default", "default_factory"):
            return word.value
    first = value.args[0] if value.args else None
    unset = isinstance(first, ast.Constant) and first.value is Ellipsis
    return None if unset else first
