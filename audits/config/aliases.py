"""Which expressions of a file are the environment, under which names it goes."""

from __future__ import annotations

import ast

from audits.config.definitions import defaults_of, functions_of, last_name
from busctl.audit import FUNCTIONS, Source

_LIBRARY_OBJECTS = {
    "environ.Env", "environ.FileAwareEnv", "environs.Env", "environs.FileAwareEnv",
    "starlette.config.Config", "decouple.Config", "decouple.AutoConfig",
}  # fmt: skip


class Aliases:
    """`os.environ`, its copies, and objects of libraries that read it (`objects`)."""

    def __init__(self, source: Source) -> None:
        self.source = source
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

    def _find_aliases(self) -> None:
        source = self.source
        for node in assignments(source):
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


def assignments(source: Source) -> tuple[ast.Assign | ast.AnnAssign, ...]:
    return (*source.nodes(ast.Assign), *source.nodes(ast.AnnAssign))
