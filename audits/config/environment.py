"""Every place where one file reads, writes or declares an environment variable.

`reads_of` gives them with their nodes, for rules that judge one file; `EnvironmentFacts` writes
them down so that `audits.config.variables` can resolve names across files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from audits.config.parts import Parts, Scope, literal, literal_of
from busctl.audit import FUNCTIONS, Facts, Function, Source

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+\Z")
_MENTION = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]*)+|[A-Z][A-Z0-9]{3,}")
_METHODS = {"get": "get", "pop": "get", "setdefault": "setdefault", "__getitem__": "item"}
_READERS = {"os.getenv", "os.getenvb", "os.environ.get", "os.environ.pop"}
_LIBRARY_READERS = ("decouple.config", "decouple.AutoConfig()", "environs.env")
_LIBRARY_OBJECTS = {
    "environ.Env", "environ.FileAwareEnv", "environs.Env", "environs.FileAwareEnv",
    "starlette.config.Config", "decouple.Config", "decouple.AutoConfig",
}  # fmt: skip
_OPTION_KEYWORDS = {"envvar", "env_var", "auto_envvar_prefix", "envvar_prefix"}
_CASTS = {"int", "float", "bool", "str", "complex"}
_LOADERS = {
    "json.loads", "decimal.Decimal", "fractions.Fraction", "uuid.UUID", "ast.literal_eval",
    "ipaddress.ip_address", "ipaddress.ip_network", "datetime.datetime.fromisoformat",
    "yaml.safe_load", "tomllib.loads",
}  # fmt: skip
_CONVERSION_ERRORS = {
    "ValueError", "TypeError", "Exception", "BaseException", "KeyError", "LookupError",
    "JSONDecodeError", "InvalidOperation", "ArithmeticError", "SyntaxError",
}  # fmt: skip
_SMALL = 60
_NOT_HANDED = {"os", "logging", "json", "re", "typing", "builtins", "pathlib"}
_PARAMETER = re.compile(r"name|key|var|env|secret|setting|option|field", re.IGNORECASE)
_READING = re.compile(
    r"env|secret|sett|conf|var|get|read|int|bool|flag|float|str|list|opt|param|requir|look|load"
    r"|fetch|resolv|from|parse",
    re.IGNORECASE,
)
_ENVIRON_PARAMETER = re.compile(r"_?env\w*\Z")


@dataclass(frozen=True, slots=True)
class Read:
    """One access. `kind`: get, item, in, setdefault, write, library (decouple and its like, that
    convert and check themselves), option (of a command line)."""

    node: ast.AST
    kind: str
    name: ast.expr
    default: ast.expr | None = None

    @property
    def text(self) -> str:
        """The name where it is written out, else ""."""
        one = self.name
        return one.value if isinstance(one, ast.Constant) and isinstance(one.value, str) else ""


class Reads:
    """The accesses of one file. `maybe` are those of a parameter that may be given os.environ."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: list[Read] = []
        self.whole = False
        """Whether all of the environment is gone through, by names not written here."""
        self.maybe: list[tuple[Read, Function, str]] = []
        self.passed: list[ast.Call] = []
        """Calls that are given os.environ itself."""
        self._aliases: set[tuple[ast.AST | None, str]] = set()
        self._objects: set[str] = set()
        text = source.text
        self.touched = "environ" in text or "getenv" in text
        self.libraries = "decouple" in text or "environs" in text or "starlette.config" in text
        if self.touched or self.libraries:
            self._find_aliases()
            self._find()
        if "env" in text:
            self._find_declared()

    # --- what stands for os.environ ------------------------------------------------------------

    def _find_aliases(self) -> None:
        source = self.source
        for node in source.nodes(ast.Assign, ast.AnnAssign):
            value = node.value
            if value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if isinstance(value, ast.Call) and source.called(value) in _LIBRARY_OBJECTS:
                self._objects.update(source.dotted(one) for one in targets)
            elif self._is_environ(value, deep=True):
                for target in targets:
                    if isinstance(target, (ast.Name, ast.Attribute)):
                        self._aliases.add((self._scope(target), source.dotted(target)))
        for function in source.nodes(*FUNCTIONS):
            for name, default in _defaults(function):
                if self._is_environ(default):
                    self._aliases.add((function, name))

    def _scope(self, node: ast.AST) -> ast.AST | None:
        """Attributes of self belong to the class, names to their function."""
        if isinstance(node, ast.Attribute):
            return self.source.class_of(node)
        return self.source.function(node)

    def _is_environ(self, node: ast.expr, deep: bool = False) -> bool:
        if isinstance(node, (ast.Attribute, ast.Name)):
            return self.source.dotted(node) in ("os.environ", "os.environb")
        if not deep:
            return False
        if isinstance(node, ast.BoolOp):
            return any(self._is_environ(one, True) for one in node.values)
        if isinstance(node, ast.IfExp):
            return self._is_environ(node.body, True) or self._is_environ(node.orelse, True)
        if isinstance(node, ast.Call):
            called = self.source.called(node)
            if called == "os.environ.copy":
                return True
            return called in ("dict", "copy.copy", "copy.deepcopy", "typing.cast") and any(
                self._is_environ(one) for one in node.args
            )
        return False

    def environ(self, node: ast.expr) -> bool:
        """Whether an expression is the environment or a copy of it."""
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return self._is_environ(node, deep=True)
        if self._is_environ(node):
            return True
        if not self._aliases:
            return False
        dotted = self.source.dotted(node)
        if isinstance(node, ast.Attribute):
            return (self.source.class_of(node), dotted) in self._aliases
        scopes = [one for one in self.source.parents(node) if isinstance(one, FUNCTIONS)]
        return any((scope, dotted) in self._aliases for scope in (*scopes, None))

    # --- accesses ------------------------------------------------------------------------------

    def _find(self) -> None:
        for call in self.source.nodes(ast.Call):
            self._of_call(call)
        for node in self.source.nodes(ast.Subscript):
            self._of_item(node)
        for test in self.source.nodes(ast.Compare):
            if (
                len(test.ops) == 1 and isinstance(test.ops[0], (ast.In, ast.NotIn))
                and self.environ(_keys(test.comparators[0]))
            ):  # fmt: skip
                self._add(test, "in", test.left)
        for loop in self.source.nodes(ast.For, ast.comprehension):
            if self.environ(_keys(loop.iter)):
                self.whole = True

    def _of_call(self, call: ast.Call) -> None:
        function = call.func
        kind = ""
        if isinstance(function, ast.Attribute):
            if function.attr in _METHODS and self.environ(function.value):
                kind = _METHODS[function.attr]
            elif function.attr in _METHODS and call.args:
                self._of_parameter(call, function.value, _METHODS[function.attr])
        if not kind:
            called = self.source.called(call)
            if called in _READERS:
                kind = "get"
            elif called == "os.putenv" and call.args:
                kind = "write"
            elif self.libraries and self._is_library(called):
                kind = "library"
            elif any(self.environ(one) for one in call.args) or any(
                self.environ(word.value) for word in call.keywords if word.arg != "env"
            ):
                self.passed.append(call)
        name = _argument(call, 0, "key", "option", "varname", "name")
        if kind and name is not None:
            default = _argument(call, 1, "default")
            self._add(call, kind, name, default if kind != "write" else None)

    def _add(
        self, node: ast.AST, kind: str, name: ast.expr, default: ast.expr | None = None
    ) -> None:
        """One read, or one for each name that a loop around it goes through."""
        looped = self._looped(name) if isinstance(name, ast.Name) else []
        for one in looped or [name]:
            self.found.append(Read(node, kind, one, default))

    def _looped(self, name: ast.Name) -> list[ast.expr]:
        for around in self.source.parents(name):
            loops: list[ast.For | ast.AsyncFor | ast.comprehension] = []
            if isinstance(around, ast.For):
                loops = [around]
            elif isinstance(around, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
                loops = list(around.generators)
            for loop in loops:
                if isinstance(loop.target, ast.Name) and loop.target.id == name.id:
                    return [one for one in self._items(loop.iter) if literal(one)]
            if isinstance(around, FUNCTIONS):
                return []
        return []

    def _items(self, node: ast.expr) -> list[ast.expr]:
        """The elements of a list that is written out here or as a constant of the module."""
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return node.elts
        if isinstance(node, ast.Dict):
            return [one for one in node.keys if one is not None]
        if not isinstance(node, ast.Name):
            return []
        for each in self.source.nodes(ast.Assign, ast.AnnAssign):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            if any(isinstance(one, ast.Name) and one.id == node.id for one in targets):
                value = each.value
                if isinstance(value, ast.Call) and value.args:
                    value = value.args[0]
                plain = isinstance(value, (ast.List, ast.Tuple, ast.Set, ast.Dict))
                return self._items(value) if plain and value is not None else []
        return []

    def _is_library(self, called: str) -> bool:
        if called in _LIBRARY_READERS or called in self._objects:
            return True
        base, _, method = called.rpartition(".")
        return (base in self._objects or base == "environs.env") and method not in (
            "read_env", "read_envfile", "prefixed", "seal", "parser_for", "dump", "add_parser",
        )  # fmt: skip

    def _of_parameter(self, node: ast.AST, value: ast.expr, kind: str) -> None:
        if not isinstance(value, ast.Name) or not _ENVIRON_PARAMETER.match(value.id):
            return
        function = self.source.function(node)
        if function is None or value.id not in _parameters(function):
            return
        name: ast.expr | None
        default = None
        if isinstance(node, ast.Call):
            name, default = node.args[0], _argument(node, 1, "default")
        else:
            name = node.slice if isinstance(node, ast.Subscript) else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            self.maybe.append((Read(node, kind, name, default), function, value.id))

    def _of_item(self, node: ast.Subscript) -> None:
        if not self.environ(node.value):
            if isinstance(node.ctx, ast.Load):
                self._of_parameter(node, node.value, "item")
            return
        if not isinstance(node.ctx, ast.Load):
            self._add(node, "write", node.slice)
            return
        self._add(node, "item", node.slice)

    # --- options and fields that name a variable -----------------------------------------------

    def _find_declared(self) -> None:
        for word in self.source.nodes(ast.keyword):
            if word.arg in ("envvar", "env_var"):
                call = self.source.parent(word)
                for name in _each(word.value):
                    if isinstance(call, ast.Call):
                        self.found.append(Read(call, "option", name, _option_default(call)))
            elif word.arg == "metadata" and isinstance(word.value, ast.Dict):
                self._of_metadata(word, word.value)

    def _of_metadata(self, word: ast.keyword, table: ast.Dict) -> None:
        call = self.source.parent(word)
        for key, value in zip(table.keys, table.values, strict=True):
            if (
                isinstance(call, ast.Call) and isinstance(key, ast.Constant)
                and key.value in ("env", "envvar", "env_var")
            ):  # fmt: skip
                self.found.append(Read(call, "option", value, _argument(call, 99, "default")))

    # --- how a value is used -------------------------------------------------------------------

    def import_time(self, node: ast.AST) -> bool:
        """Whether importing the module runs this (a `__main__` block does not)."""
        if self.source.function(node) is not None:
            return False
        for around in self.source.parents(node):
            if isinstance(around, (ast.Lambda, *FUNCTIONS)):
                return isinstance(around, FUNCTIONS)
            if isinstance(around, ast.If) and _is_main(around.test):
                return False
        return True

    def conversion(self, read: Read) -> tuple[str, ast.Call] | None:
        """The call that turns the text into another type: `("int", call)`."""
        node: ast.AST = read.node
        for around in self.source.parents(node):
            if isinstance(around, ast.Call):
                if node in around.args:
                    called = self.source.called(around)
                    known = called in _CASTS or called in _LOADERS
                    return (called, around) if known else None
                if node is not around.func:
                    return None
            elif isinstance(around, ast.BoolOp):
                if not isinstance(around.op, ast.Or):
                    return None
            elif not (isinstance(around, ast.Attribute) and _keeps_text(around.attr)):
                return None
            node = around
        return None

    def handled(self, node: ast.AST) -> bool:
        """Whether an error of conversion is caught around it."""
        inner = node
        for around in self.source.parents(node):
            if isinstance(around, FUNCTIONS):
                return False
            if isinstance(around, ast.Try) and inner in around.body and _catches(around):
                return True
            if isinstance(around, ast.With) and any(
                self.source.dotted(item.context_expr).startswith("contextlib.suppress")
                for item in around.items
            ):
                return True
            inner = around
        return False


@lru_cache(maxsize=2)
def reads_of(source: Source) -> Reads:
    """The accesses of a file, found once however many rules ask."""
    return Reads(source)


class EnvironmentFacts(Facts):
    """What one file knows of environment variables, names not yet resolved across files.

    `reads`, `functions` (those that take a name), `calls` (that may be calls of those), `passed`,
    `constants`, `settings` (pydantic classes), `mentions` (strings that may be names).
    """

    def collect(self, source: Source) -> Any:
        facts: dict[str, Any] = {}
        scope = Scope(source)
        reads = reads_of(source)
        kept = [_written(reads, scope, one) for one in reads.found]
        for read, function, parameter in reads.maybe:
            kept.append(_written(reads, scope, read) | {
                "of": [_qualified(source, function), parameter,
                       _position(function, parameter)]
            })  # fmt: skip
        facts["reads"] = kept
        facts["functions"] = _functions(source, kept, scope)
        facts["calls"] = list(_calls(source, scope, reads))
        facts["passed"] = [_passing(source, reads, call) for call in reads.passed]
        facts["constants"] = scope.constants()
        facts["settings"] = list(_settings(source, scope))
        facts["prefixes"] = list(_prefixes(source, scope))
        facts["mentions"] = _mentions(source)
        facts["imports"] = sorted({one.partition(".")[0] for one in source.imports.values()})
        facts["whole"] = reads.whole
        facts["test"] = source.is_test
        facts["shown"] = source.is_shown
        return {key: value for key, value in facts.items() if value} or None


def _written(reads: Reads, scope: Scope, read: Read) -> dict[str, Any]:
    source = reads.source
    default, default_node = read.default, read.default
    parent = source.parent(read.node)
    if default is None and isinstance(parent, ast.BoolOp) and isinstance(parent.op, ast.Or):
        *_, before, last = parent.values
        others = any(one.node in parent.values for one in reads.found if one is not read)
        if before is read.node and not others:
            default = default_node = last
    conversion = reads.conversion(read)
    at = read.node
    written: dict[str, Any] = {
        "parts": scope.parts(read.name),
        "kind": read.kind,
        "default": scope.value(default) if default is not None else None,
        "cast": conversion[0] if conversion else "",
        "import": reads.import_time(at),
        "function": _function_name(source, at),
        "symbol": source.symbol(at),
        "call": _place(source, at),
        "name": _place(source, read.name),
        "anchor": " ".join(source.line(source.span(at).line).split()),
    }
    if default_node is not None:
        written["value"] = _place(source, default_node)
    return written


def _function_name(source: Source, node: ast.AST) -> str:
    function = source.function(node)
    return _qualified(source, function) if function is not None else ""


def _qualified(source: Source, function: Function) -> str:
    return f"{source.module}.{source.symbol(function)}"


def _place(source: Source, node: ast.AST) -> list[int]:
    span = source.span(node)
    return [span.line, span.column, span.end_line, span.end_column]


# --- functions that take the name of a variable ------------------------------------------------


def _functions(
    source: Source, reads: list[dict[str, Any]], scope: Scope
) -> dict[str, dict[str, Any]]:
    """Those that read a variable whose name is their parameter, and small ones that may hand the
    name on, by their qualified names."""
    taking = {
        one["function"]: one for one in reads if "of" not in one and _has(one["parts"], "p")
    }  # fmt: skip
    handing = _handing(scope)
    found: dict[str, dict[str, Any]] = {}
    for function in source.nodes(*FUNCTIONS):
        qualified = _qualified(source, function) if taking or function in handing else ""
        if qualified not in taking and function not in handing:
            continue
        parameters = _parameters(function)
        if not parameters:
            continue
        found[qualified] = {
            "parameters": parameters,
            "method": source.class_of(function) is not None
            and parameters[0] in ("self", "cls"),
            "defaults": {name: scope.value(value) for name, value in _defaults(function)},
            "hands_on": [] if qualified in taking else handing[function],
            "casts": _casts(source, function),
        }
    return found


def _handing(scope: Scope) -> dict[Function, list[list[Any]]]:
    """Small functions, each with the calls that are given its own parameter as a name."""
    source = scope.source
    found: dict[Function, list[list[Any]]] = {}
    for call in source.nodes(ast.Call):
        names = {name for one in call.args[:2] for name in _handed_names(one)}
        names.update(name for word in call.keywords for name in _handed_names(word.value))
        if not names or not _READING.search(_last(call.func)):
            continue
        function = source.function(call)
        if (
            function is None or (function.end_lineno or 0) - function.lineno > _SMALL
            or names.isdisjoint(_parameters(function))
        ):  # fmt: skip
            continue
        callee = _callee(source, call)
        if not callee or callee.partition(".")[0] in _NOT_HANDED:
            continue
        arguments = _arguments(call, scope)
        if any(_has(value["parts"], "p") for value in arguments.values()):
            found.setdefault(function, []).append([callee, arguments])
    return found


def _handed_names(node: ast.expr) -> Iterator[str]:
    """Names in an argument that may be, or be part of, the name of a variable."""
    if isinstance(node, ast.Name):
        if _PARAMETER.search(node.id):
            yield node.id
    elif isinstance(node, ast.JoinedStr):
        for one in node.values:
            if isinstance(one, ast.FormattedValue):
                yield from _handed_names(one.value)
    elif isinstance(node, ast.BinOp):
        yield from _handed_names(node.left)
        yield from _handed_names(node.right)


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _calls_in(function: Function) -> Iterator[ast.Call]:
    return (node for node in ast.walk(function) if isinstance(node, ast.Call))


def _casts(source: Source, function: Function) -> str:
    """The conversion a function makes without catching its error, else ""."""
    for call in _calls_in(function):
        called = source.called(call)
        if called in ("int", "float", "json.loads") and not _in_try(source, call):
            return called
    return ""


def _in_try(source: Source, node: ast.AST) -> bool:
    return any(isinstance(one, ast.Try) and _catches(one) for one in source.parents(node))


def _calls(source: Source, scope: Scope, reads: Reads) -> Iterator[list[Any]]:
    """Calls with an argument that may be the name of a variable."""
    known = {id(one.node) for one in reads.found}
    for call in source.nodes(ast.Call):
        if id(call) in known or not isinstance(call.func, (ast.Name, ast.Attribute)):
            continue
        if not any(map(_may_name, call.args[:2])) and not any(
            _may_name(word.value) for word in call.keywords
        ):
            continue
        callee = _callee(source, call)
        if not callee or callee.startswith(("os.", "logging.", "print")):
            continue
        arguments = _arguments(call, scope)
        name = next((one for one in [*call.args[:2], *(word.value for word in call.keywords)]
                     if _may_name(one)), call)  # fmt: skip
        yield [
            callee, arguments, _place(source, call), _place(source, name),
            reads.import_time(call), source.symbol(call),
            " ".join(source.line(call.lineno).split()), _behind(source, scope, call),
        ]  # fmt: skip


def _behind(source: Source, scope: Scope, call: ast.Call) -> list[Any] | None:
    """`default` of `read(name) or default`, with its place; None where other calls stand there."""
    parent = source.parent(call)
    if not isinstance(parent, ast.BoolOp) or not isinstance(parent.op, ast.Or):
        return None
    *_, before, last = parent.values
    if before is not call or sum(isinstance(one, ast.Call) for one in parent.values) > 1:
        return None
    return [scope.value(last), _place(source, last)]


def _may_name(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and VARIABLE.match(node.value) is not None
    if isinstance(node, ast.Name):
        return node.id.isupper()
    if isinstance(node, ast.Attribute):
        return node.attr.isupper()
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(one, ast.Constant) and str(one.value).isupper()
                   for one in node.values)  # fmt: skip
    return False


def _arguments(call: ast.Call, scope: Scope) -> dict[str, dict[str, Any]]:
    """Positions ("0", "1") and keywords, each with its parts as a name and its value."""
    given: dict[str, ast.expr] = {str(at): one for at, one in enumerate(call.args[:4])}
    given.update({word.arg: word.value for word in call.keywords if word.arg})
    return {
        key: {
            "parts": scope.parts(node), "value": scope.value(node),
            "at": _place(scope.source, node),
        }
        for key, node in given.items()
    }  # fmt: skip


def _callee(source: Source, call: ast.Call) -> str:
    """The called function's dotted name: of this module where it is not imported."""
    dotted = source.called(call)
    if not dotted or "()" in dotted:
        return ""
    first, _, rest = dotted.partition(".")
    if first in ("self", "cls"):
        around = source.class_of(call)
        return f"{source.module}.{source.symbol(around)}.{rest}" if around and rest else ""
    top = call.func
    while isinstance(top, ast.Attribute):
        top = top.value
    imported = isinstance(top, ast.Name) and top.id in source.imports
    return dotted if imported else f"{source.module}.{dotted}"


def _passing(source: Source, reads: Reads, call: ast.Call) -> list[Any]:
    keys = [str(at) for at, one in enumerate(call.args) if reads.environ(one)]
    keys += [word.arg for word in call.keywords if word.arg and reads.environ(word.value)]
    return [_callee(source, call), keys]


# --- pydantic's settings classes ---------------------------------------------------------------


def _settings(source: Source, scope: Scope) -> Iterator[dict[str, Any]]:
    for one in source.nodes(ast.ClassDef):
        bases = [_base(source, each) for each in one.bases]
        if not any(each.endswith("Settings") for each in bases):
            continue
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
                if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
                    yield each.targets[0].id, each.value
        name, value = _assigned(statement)
        if name != "model_config":
            continue
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
        declared = [each for each in (value, *_annotated(statement.annotation))
                    if isinstance(each, ast.Call)]  # fmt: skip
        aliases = [alias for each in declared for alias in _aliases(each)]
        default = _field_default(value)
        yield {
            "name": name,
            "aliases": aliases,
            "type": annotation,
            "default": scope.value(default) if default is not None else None,
            "at": _place(source, statement.target),
            "value": _place(source, default) if default is not None else None,
            "anchor": " ".join(source.line(statement.lineno).split()),
            "symbol": source.symbol(statement),
        }


def _annotated(annotation: ast.expr) -> Iterable[ast.expr]:
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple):
        return annotation.slice.elts[1:]
    return ()


def _aliases(call: ast.Call) -> Iterator[str]:
    for word in call.keywords:
        if word.arg not in ("alias", "validation_alias", "env"):
            continue
        value = word.value
        given = value.args if isinstance(value, ast.Call) else list(_each(value))
        for one in given:
            text = literal(one)
            if isinstance(text, str):
                yield text


def _field_default(value: ast.expr | None) -> ast.expr | None:
    if not isinstance(value, ast.Call) or not _last(value.func).endswith("ield"):
        return value
    for word in value.keywords:
        if word.arg in ("default", "default_factory"):
            return word.value
    first = value.args[0] if value.args else None
    unset = isinstance(first, ast.Constant) and first.value is Ellipsis
    return None if unset else first


# --- what may be a name, or begin one ----------------------------------------------------------


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


# --- small questions ---------------------------------------------------------------------------


def _argument(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    if position < len(call.args):
        one = call.args[position]
        return None if isinstance(one, ast.Starred) else one
    return next((word.value for word in call.keywords if word.arg in names), None)


def _option_default(call: ast.Call) -> ast.expr | None:
    named = _argument(call, 99, "default")
    if named is not None:
        return named
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(
        call.func, "id", "")  # fmt: skip
    if called not in ("Option", "Argument") or not call.args:
        return None
    first = call.args[0]
    return None if isinstance(first, ast.Constant) and first.value is Ellipsis else (
        None if str(literal(first)).startswith("-") else first
    )  # fmt: skip


def _each(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        yield from node.elts
    else:
        yield node


def _keys(node: ast.expr) -> ast.expr:
    """`x` for `x.keys()`, `x.items()`, `list(x)`, `sorted(x)`."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "items", "values"):
            return node.func.value
        if isinstance(node.func, ast.Name) and node.func.id in ("list", "sorted", "set", "tuple"):
            return _keys(node.args[0]) if node.args else node
    return node


def _keeps_text(method: str) -> bool:
    return method in ("strip", "lower", "upper", "rstrip", "lstrip", "replace")


def _catches(one: ast.Try) -> bool:
    return any(
        handler.type is None
        or any(getattr(each, "attr", getattr(each, "id", "")) in _CONVERSION_ERRORS
               for each in _each(handler.type))
        for handler in one.handlers
    )  # fmt: skip


def _is_main(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare) and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
    )  # fmt: skip


def _has(parts: Parts, kind: str) -> bool:
    return any(part[0] == kind for part in parts)


def _parameters(function: Function) -> list[str]:
    given = function.args
    return [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def _position(function: Function, parameter: str) -> int:
    return _parameters(function).index(parameter)


def _defaults(function: Function) -> Iterator[tuple[str, ast.expr]]:
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    for one, value in zip(positional[len(positional) - len(given.defaults) :], given.defaults,
                          strict=True):  # fmt: skip
        yield one.arg, value
    for one, other in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if other is not None:
            yield one.arg, other


__all__ = ["VARIABLE", "EnvironmentFacts", "Read", "Reads", "literal", "literal_of", "reads_of"]
