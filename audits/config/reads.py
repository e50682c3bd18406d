"""Every place where one file reads, writes or declares an environment variable, with its nodes."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache

from audits.config.aliases import Aliases, assignments
from audits.config.definitions import (
    argument,
    elements,
    last_name,
    parameters_of,
)
from audits.config.parts import literal
from busctl.audit import FUNCTIONS, Function, Source

_METHODS = {"get": "get", "pop": "get", "setdefault": "setdefault", "__getitem__": "item"}
_READERS = {"os.getenv", "os.getenvb", "os.environ.get", "os.environ.pop"}
_LIBRARY_READERS = ("decouple.config", "decouple.AutoConfig()", "environs.env")
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


class Reads(Aliases):
    """The accesses of one file. `maybe` are those of a parameter that may be given os.environ."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.found: list[Read] = []
        self.whole = False
        """Whether all of the environment is gone through, by names not written here."""
        self.maybe: list[tuple[Read, Function, str]] = []
        self.passed: list[ast.Call] = []
        """Calls that are given os.environ itself."""
        if self.touched or self.libraries:
            self._find()
        if "env" in source.text:
            self._find_declared()

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
        for loop in self.source.nodes(ast.For):
            self.whole = self.whole or self.environ(_keys(loop.iter))
        for part in self.source.nodes(ast.comprehension):
            self.whole = self.whole or self.environ(_keys(part.iter))

    def _of_call(self, call: ast.Call) -> None:
        function = call.func
        kind = ""
        if isinstance(function, ast.Attribute):
            if function.attr in _METHODS and self.environ(function.value):
                kind = _METHODS[function.attr]
            elif function.attr in _METHODS and call.args:
                self._of_parameter(call, function.value, _METHODS[function.attr])
        if not kind:
            last = last_name(function)
            plain = last in ("getenv", "getenvb", "putenv") or last in self.source.imports
            called = self.source.called(call) if plain or self.libraries else ""
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
        name = argument(call, 0, "key", "option", "varname", "name")
        if kind and name is not None:
            default = argument(call, 1, "default")
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
        for each in assignments(self.source):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            if any(isinstance(one, ast.Name) and one.id == node.id for one in targets):
                value = each.value
                if isinstance(value, ast.Call) and value.args:
                    value = value.args[0]
                plain = isinstance(value, (ast.List, ast.Tuple, ast.Set, ast.Dict))
                return self._items(value) if plain and value is not None else []
        return []

    def _is_library(self, called: str) -> bool:
        if called in _LIBRARY_READERS or called in self.objects:
            return True
        base, _, method = called.rpartition(".")
        return (base in self.objects or base == "environs.env") and method not in (
            "read_env", "read_envfile", "prefixed", "seal", "parser_for", "dump", "add_parser",
        )  # fmt: skip

    def _of_parameter(self, node: ast.AST, value: ast.expr, kind: str) -> None:
        if not isinstance(value, ast.Name) or not _ENVIRON_PARAMETER.match(value.id):
            return
        function = self.source.function(node)
        if function is None or value.id not in parameters_of(function):
            return
        name: ast.expr | None
        default = None
        if isinstance(node, ast.Call):
            name, default = node.args[0], argument(node, 1, "default")
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
                for name in elements(word.value):
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
                self.found.append(Read(call, "option", value, argument(call, 99, "default")))


@lru_cache(maxsize=2)
def reads_of(source: Source) -> Reads:
    """The accesses of a file, found once however many rules ask."""
    return Reads(source)


def _option_default(call: ast.Call) -> ast.expr | None:
    named = argument(call, 99, "default")
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


def _keys(node: ast.expr) -> ast.expr:
    """`x` for `x.keys()`, `x.items()`, `list(x)`, `sorted(x)`."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "items", "values"):
            return node.func.value
        if isinstance(node.func, ast.Name) and node.func.id in ("list", "sorted", "set", "tuple"):
            return _keys(node.args[0]) if node.args else node
    return node
