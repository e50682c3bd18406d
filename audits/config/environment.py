"""What one file knows of environment variables, written down for `audits.config.variables`, which
resolves names across files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from audits.config.conversions import conversion, handled, import_time
from audits.config.definitions import is_tested, parameters_of
from audits.config.parts import Scope
from audits.config.reads import Read, Reads, reads_of
from audits.config.settings_classes import settings
from audits.config.takers import VARIABLE, calls, functions, passing, place, qualified
from busctl.audit import Facts, Source

_MENTION = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]*)+|[A-Z][A-Z0-9]{3,}")


class EnvironmentFacts(Facts):
    """What one file knows of environment variables, names not yet resolved across files.

    `reads`, `functions` (those that take a name), `calls` (that may be calls of those), `passed`,
    `constants`, `settings` (pydantic classes), `mentions` (strings that may be names).
    """

    def collect(self, source: Source) -> Any:
        facts: dict[str, Any] = {}
        scope = Scope(source)
        reads = reads_of(source)
        kept = [each for one in reads.found for each in _each_written(reads, scope, one)]
        for read, function, parameter in reads.maybe:
            kept.append(_written(reads, scope, read) | {
                "of": [qualified(source, function), parameter,
                       parameters_of(function).index(parameter)]
            })  # fmt: skip
        facts["reads"] = kept
        facts["functions"] = functions(source, kept, scope)
        facts["calls"] = list(calls(source, scope, reads))
        facts["passed"] = [passing(source, reads, call) for call in reads.passed]
        facts["constants"] = scope.constants()
        facts["settings"] = list(settings(source, scope))
        facts["prefixes"] = list(_prefixes(source, scope))
        facts["mentions"] = _mentions(source)
        facts["objects"] = [f"{source.module}.{one}" for one in sorted(reads.objects)]
        facts["imports"] = sorted({one.partition(".")[0] for one in source.imports.values()})
        facts["assigned"] = sorted(_assigned(source))
        facts["whole"] = reads.whole
        facts["composes"] = _composes(source)
        facts["test"] = source.is_test
        facts["shown"] = source.is_shown
        return {key: value for key, value in facts.items() if value} or None


def _assigned(source: Source) -> Iterator[str]:
    """The fields that `settings.ready = True` gives a value."""
    if "settings." not in source.text and "config." not in source.text:
        return
    for node in source.nodes(ast.Attribute):
        if isinstance(node.ctx, ast.Store) and source.function(node) is not None:
            holder = node.value.attr if isinstance(node.value, ast.Attribute) else (
                node.value.id if isinstance(node.value, ast.Name) else ""
            )  # fmt: skip
            if holder.lower().endswith(("settings", "config")):
                yield node.attr


def _each_written(reads: Reads, scope: Scope, read: Read) -> Iterator[dict[str, Any]]:
    """A read, or one for each name that a loop tries; all but the first are alternatives."""
    written = _written(reads, scope, read)
    tried = scope.alternatives(read.name)
    yield {**written, "parts": tried[0]} if tried else written
    yield from ({**written, "parts": parts, "kind": "alternative"} for parts in tried[1:])


def _written(reads: Reads, scope: Scope, read: Read) -> dict[str, Any]:
    source = reads.source
    default, default_node = read.default, read.default
    parent = source.parent(read.node)
    if default is None and isinstance(parent, ast.BoolOp) and isinstance(parent.op, ast.Or):
        *_, before, last = parent.values
        others = any(one.node in parent.values for one in reads.found if one is not read)
        if before is read.node and not others:
            default = default_node = last
    cast = conversion(source, read.node)
    at = read.node
    written: dict[str, Any] = {
        "parts": scope.parts(read.name),
        "kind": _kind(source, scope, read),
        "default": scope.value(default) if default is not None else None,
        "cast": cast[0] if cast and not handled(source, cast[1]) else "",
        "import": import_time(source, at),
        "function": _function_name(source, at),
        "symbol": source.symbol(at),
        "call": place(source, at),
        "name": place(source, read.name),
        "anchor": " ".join(source.line(source.span(at).line).split()),
    }
    if default_node is not None:
        written["value"] = place(source, default_node)
    return written


def _kind(source: Source, scope: Scope, read: Read) -> str:
    if _asks_presence(source, read):
        return "in"
    if read.kind in ("get", "item") and _is_handed_on(source, scope, read):
        return "handed"
    return read.kind


def _is_handed_on(source: Source, scope: Scope, read: Read) -> bool:
    """`{"LEVEL": os.environ.get("LEVEL", "ERROR")}`: what another program is started with."""
    around = source.parent(read.node)
    if not isinstance(around, ast.Dict):
        return False
    for key, value in zip(around.keys, around.values, strict=True):
        if value is read.node and isinstance(key, ast.Constant):
            return [["s", key.value]] == scope.parts(read.name)
    return False


def _asks_presence(source: Source, read: Read) -> bool:
    """`if os.getenv(name):` takes no value, it asks whether there is one."""
    return read.kind == "get" and read.default is None and is_tested(source, read.node)


def _function_name(source: Source, node: ast.AST) -> str:
    function = source.function(node)
    return qualified(source, function) if function is not None else ""


def _prefixes(source: Source, scope: Scope) -> Iterator[str]:
    """What names of options and settings begin with, where a library makes them."""
    if "prefix" not in source.text and "prefixed" not in source.text:
        return
    for word in source.nodes(ast.keyword):
        if word.arg in ("auto_envvar_prefix", "envvar_prefix"):
            text = scope.text(word.value)
            if text:
                yield text.rstrip("_") + "_"
    for call in source.nodes(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr in (
            "from_prefixed_env", "prefixed",
        ):  # fmt: skip
            text = scope.text(call.args[0]) if call.args else "FLASK"
            if text:
                yield text


def _composes(source: Source) -> bool:
    """Whether upper-case names are put together from values alone: `f"{kind}_{field}".upper()`."""
    if "env" not in source.text or ".upper()" not in source.text:
        return False
    for call in source.nodes(ast.Call):
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "upper":
            continue
        inner, around = call.func.value, source.parent(source.parent(call) or call)
        for one in (inner, around):
            if isinstance(one, ast.JoinedStr) and not any(
                isinstance(piece, ast.Constant) and any(map(str.isalnum, str(piece.value)))
                for piece in one.values
            ):
                return True
    return False


def _mentions(source: Source) -> dict[str, int]:
    """Words in strings that may be names: 2 where the string is that word, 1 where it is inside;
    docstrings do not count."""
    found: dict[str, int] = {}
    for node in source.nodes(ast.Constant):
        text = node.value
        if not isinstance(text, str) or len(text) < 3 or text.islower():
            continue
        if VARIABLE.match(text) or text.strip("_").isupper():
            found[text] = 2
            continue
        if len(text) > 20_000 or isinstance(source.parent(node), ast.Expr):
            continue
        for word in _MENTION.findall(text):
            found.setdefault(word, 1)
    return found
