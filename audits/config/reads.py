"""Every place where one file reads, writes or declares an environment variable, with its nodes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from audits.config.parts import literal
from busctl.audit import FUNCTIONS, Function, Source

_METHODS = {"get": "get", "pop": "get", "setdefault": "setdefault", "__getitem__": "item"}
_READERS = {"os.getenv", "os.getenvb", "os.environ.get", "os.environ.pop"}
_LIBRARY_READERS = ("decouple.config", "decouple.AutoConfig()", "environs.env")
_LIBRARY_OBJECTS = {
    "environ.Env", "environ.FileAwareEnv", "environs.Env", "environs.FileAwareEnv",
    "starlette.config.Config", "decouple.Config", "decouple.AutoConfig",
}  # fmt: skip
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
        self.objects: set[str] = set()
        # Which expressions are worth a dotted name: what is called environ, and its aliases.
        self._attributes = {"environ", "environb"}
        self._names = {
            name for name, origin in source.imports.items()
            if origin in ("os.environ", "os.environb")
        }  # fmt: skip
        text = source.text
        self.touched = "environ" in text or "getenv" in text
        self.libraries = any(
            one in text for one in ("decouple", "environs", "environ.Env", "starlette.config")
        )
        if self.touched or self.libraries:
            self._find_aliases()
            self._find()
        if "env" in text:
            self._find_declared()

    # --- what stands for os.environ ------------------------------------------------------------

    def _find_aliases(self) -> None:
        source = self.source
        for node in _assignments(source):
            value = node.value
            if value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if (
                self.libraries and isinstance(value, ast.Call)
                and source.called(value) in _LIBRARY_OBJECTS
            ):  # fmt: skip
                self.objects.update(source.dotted(one) for one in targets)
            elif self._is_environ(value, deep=True):
                for target in targets:
                    if isinstance(target, (ast.Name, ast.Attribute)):
                        self._aliases.add((self._scope(target), source.dotted(target)))
                        self._remember(target)
        for function in functions_of(source):
            for name, default in defaults_of(function):
                if self._is_environ(default):
                    self._aliases.add((function, name))
                    self._names.add(name)

    def _remember(self, target: ast.Name | ast.Attribute) -> None:
        if isinstance(target, ast.Name):
            self._names.add(target.id)
        else:
            self._attributes.add(target.attr)

    def _scope(self, node: ast.AST) -> ast.AST | None:
        """Attributes of self belong to the class, names to their function."""
        if isinstance(node, ast.Attribute):
            return self.source.class_of(node)
        return self.source.function(node)

    def _is_environ(self, node: ast.expr, deep: bool = False) -> bool:
        if isinstance(node, (ast.Attribute, ast.Name)):
            return self._may_be(node) and self.source.dotted(node) in (
                "os.environ", "os.environb",
            )  # fmt: skip
        if not deep:
            return False
        if isinstance(node, ast.BoolOp):
            return any(self._is_environ(one, True) for one in node.values)
        if isinstance(node, ast.IfExp):
            return self._is_environ(node.body, True) or self._is_environ(node.orelse, True)
        if isinstance(node, ast.Call):
            last = last_name(node.func)
            if last == "copy" and isinstance(node.func, ast.Attribute) and not node.args:
                return self._is_environ(node.func.value)
            return last in ("dict", "copy", "deepcopy", "cast") and any(
                self._is_environ(one) for one in node.args
            )
        return False

    def _may_be(self, node: ast.Attribute | ast.Name) -> bool:
        if isinstance(node, ast.Attribute):
            return node.attr in self._attributes
        return node.id in self._names

    def environ(self, node: ast.expr) -> bool:
        """Whether an expression is the environment or a copy of it."""
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return self._is_environ(node, deep=True)
        if not self._may_be(node):
            return False
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
        for each in _assignments(self.source):
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
            if isinstance(around, ast.Try) and inner in around.body and catches(around):
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


def argument(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    if position < len(call.args):
        one = call.args[position]
        return None if isinstance(one, ast.Starred) else one
    return next((word.value for word in call.keywords if word.arg in names), None)


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


def elements(node: ast.expr) -> Iterator[ast.expr]:
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


def catches(one: ast.Try) -> bool:
    return any(
        handler.type is None
        or any(getattr(each, "attr", getattr(each, "id", "")) in _CONVERSION_ERRORS
               for each in elements(handler.type))
        for handler in one.handlers
    )  # fmt: skip


def _is_main(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare) and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
    )  # fmt: skip


def _assignments(source: Source) -> tuple[ast.Assign | ast.AnnAssign, ...]:
    return (*source.nodes(ast.Assign), *source.nodes(ast.AnnAssign))


def functions_of(source: Source) -> tuple[Function, ...]:
    return (*source.nodes(ast.FunctionDef), *source.nodes(ast.AsyncFunctionDef))


def parameters_of(function: Function) -> list[str]:
    given = function.args
    return [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def defaults_of(function: Function) -> Iterator[tuple[str, ast.expr]]:
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    for one, value in zip(positional[len(positional) - len(given.defaults) :], given.defaults,
                          strict=True):  # fmt: skip
        yield one.arg, value
    for one, other in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if other is not None:
            yield one.arg, other


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def is_tested(source: Source, node: ast.AST) -> bool:
    """Whether an expression decides a branch by its truth alone."""
    parent = source.parent(node)
    if isinstance(parent, (ast.If, ast.While, ast.IfExp, ast.Assert)):
        return parent.test is node
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    if isinstance(parent, ast.BoolOp):
        return is_tested(source, parent)
    return isinstance(parent, ast.comprehension) and node in parent.ifs
