"""What an expression is made of, as far as one file shows it: constants, names, parameters.

A name such as `f"{PREFIX}_{key}"` becomes parts: `[["n", "app.names.PREFIX"], ["s", "_"],
["p", "key"]]`; `["s", text]` is text, `["n", dotted]` a constant to be looked up, `["p", name]` a
parameter of the function around, `["?"]` anything else.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import Any

from busctl.audit import Source

Parts = list[list[str]]
_TRIED = 8
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_SAME = ("upper", "strip", "format", "removesuffix")


class Scope:
    """Constants and parameters of one file, for taking expressions apart."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._made: dict[str, Any] | None = None
        self._open: set[ast.expr] = set()
        self._assigned_by: dict[tuple[ast.AST, str], list[ast.expr | None]] = {}
        self._stores: defaultdict[str, list[ast.Name]] | None = None

    @property
    def _constants(self) -> dict[str, Any]:
        """Literals assigned once at module or class level: by `NAME` or `Class.NAME`."""
        if self._made is None:
            self._made = {}
            self._gather(self.source.tree.body, "", self._made)
        return self._made

    def _gather(self, body: list[ast.stmt], within: str, made: dict[str, Any]) -> None:
        for statement in body:
            if isinstance(statement, ast.ClassDef):
                self._gather(statement.body, f"{within}{statement.name}.", made)
            elif isinstance(statement, (ast.If, ast.Try)):
                self._gather(statement.body, within, made)
            target, value = _assignment(statement)
            if target and value is not None:
                key = within + target
                made[key] = literal_of(value) if key not in made else None

    def constants(self) -> dict[str, Any]:
        """Those that another file may name: texts and numbers, by their names."""
        return {
            key: value[0]
            for key, value in self._constants.items()
            if value is not None and not isinstance(value[0], (list, tuple))
            and key.rpartition(".")[2].strip("_").isupper()
        }  # fmt: skip

    def parts(self, node: ast.expr | None) -> Parts:
        """The parts of a name."""
        joined: Parts = []
        for part in self._parts(node):
            if joined and part[0] == joined[-1][0] == "s":
                joined[-1] = ["s", joined[-1][1] + part[1]]
            else:
                joined.append(part)
        return joined

    def alternatives(self, node: ast.expr | None) -> list[Parts]:
        """The names that a loop tries one after the other: `for key in ("APP_" + name, name):`."""
        if not isinstance(node, ast.Name):
            return []
        for around in self.source.parents(node):
            loops = around.generators if isinstance(around, _COMPREHENSIONS) else [around]
            for loop in loops:
                if (
                    isinstance(loop, (ast.For, ast.comprehension))
                    and isinstance(loop.target, ast.Name) and loop.target.id == node.id
                ):  # fmt: skip
                    tried = loop.iter.elts if isinstance(loop.iter, (ast.Tuple, ast.List)) else []
                    return [self.parts(one) for one in tried[:_TRIED]]
        return []

    def text(self, node: ast.expr | None) -> str:
        """The text, where the parts are text alone; else ""."""
        parts = self.parts(node)
        return parts[0][1] if len(parts) == 1 and parts[0][0] == "s" else ""

    def _parts(self, node: ast.expr | None) -> Parts:
        if isinstance(node, ast.Constant):
            return [["s", node.value]] if isinstance(node.value, str) else [["?"]]
        if isinstance(node, ast.JoinedStr):
            return [part for one in node.values for part in self._parts(one)]
        if isinstance(node, ast.FormattedValue):
            return self._parts(node.value)
        if isinstance(node, ast.BinOp):
            return self._of_sum(node)
        if isinstance(node, ast.Call):
            return self._of_call(node)
        if isinstance(node, ast.Name):
            return self._of_name(node)
        if isinstance(node, ast.Attribute):
            return self._of_attribute(node)
        return [["?"]]

    def _of_sum(self, node: ast.BinOp) -> Parts:
        if isinstance(node.op, ast.Add):
            return self._parts(node.left) + self._parts(node.right)
        if isinstance(node.op, ast.Mod):
            return _template(literal(node.left), "%s")
        return [["?"]]

    def _of_call(self, node: ast.Call) -> Parts:
        if isinstance(node.func, ast.Attribute):
            if node.func.attr == "format":
                return _template(literal(node.func.value), "{")
            return self._parts(node.func.value) if node.func.attr in _SAME else [["?"]]
        if isinstance(node.func, ast.Name) and node.func.id == "str" and node.args:
            return self._parts(node.args[0])
        return [["?"]]

    def _of_value(self, value: ast.expr | None) -> Parts:
        """The parts of what a local name was given, once: `name = f"{prefix}_URL"`."""
        found = literal(value)
        if isinstance(found, str):
            return [["s", found]]
        if not isinstance(value, (ast.JoinedStr, ast.BinOp)) or value in self._open:
            return [["?"]]
        self._open.add(value)
        try:
            return self._parts(value)
        finally:
            self._open.discard(value)

    def _of_name(self, node: ast.Name) -> Parts:
        function = self.source.function(node)
        while function is not None:
            values = self._assigned(function, node.id)
            given = any(node.id == one.arg for one in _arguments(function))
            if values and given and all(_names(value, node.id) for value in values):
                return [["p", node.id]]  # the parameter, cleaned
            if values:
                return self._of_value(values[0]) if len(values) == 1 else [["?"]]
            if given:
                return [["p", node.id]]
            function = self.source.function(function)
        known = self._constants.get(node.id)
        if known is not None and isinstance(known[0], str):
            return [["s", known[0]]]
        imported = self.source.imports.get(node.id)
        return [["n", imported]] if imported else [["?"]]

    def _of_attribute(self, node: ast.Attribute) -> Parts:
        dotted = self.source.dotted(node).removesuffix(".value")
        first, _, rest = dotted.partition(".")
        if first in ("self", "cls"):
            around = self.source.class_of(node)
            dotted = f"{self.source.symbol(around)}.{rest}" if around else ""
        known = self._constants.get(dotted)
        if known is not None and isinstance(known[0], str):
            return [["s", known[0]]]
        return [["n", dotted]] if dotted and "()" not in dotted and rest else [["?"]]

    def _assigned(self, function: ast.AST, name: str) -> list[ast.expr | None]:
        """What a name of a function is assigned; None for a loop's and other targets."""
        if self._stores is None:
            self._stores = defaultdict(list)
            for one in self.source.nodes(ast.Name):
                if isinstance(one.ctx, ast.Store):
                    self._stores[one.id].append(one)
        key = (function, name)
        if key not in self._assigned_by:
            self._assigned_by[key] = [
                self._assigned_to(one)
                for one in self._stores.get(name, ())
                if self.source.function(one) is function
            ]
        return self._assigned_by[key]

    def _assigned_to(self, target: ast.Name) -> ast.expr | None:
        statement = self.source.parent(target)
        plain = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.NamedExpr))
        return statement.value if plain else None  # type: ignore[union-attr]  # `plain` says that it is one

    def value(self, node: ast.expr | None) -> list[Any]:
        """A default: `["v", value]` for a literal, `["n", dotted]` for a constant elsewhere,
        `["p", parameter]`, `["?"]` for what is computed."""
        known = literal_of(node)
        if known is not None:
            return ["?"] if isinstance(known[0], (list, tuple)) else ["v", known[0]]
        if (
            isinstance(node, ast.Call)
            and len(node.args) == 1
            and (getattr(node.func, "id", "") in ("str", "int", "float"))
        ):
            return self.value(node.args[0])
        if isinstance(node, (ast.Name, ast.Attribute)):
            made = self._constant(node)
            if made is not None and not isinstance(made, (list, tuple)):
                return ["v", made]
            parts = self.parts(node)
            if len(parts) == 1 and parts[0][0] in "np":
                return list(parts[0])
        return ["?"]

    def _constant(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and self.source.function(node) is not None:
            parts = self._of_name(node)
            if parts[0][0] == "p" or (parts[0][0] == "?" and node.id not in self._constants):
                return None
        dotted = self.source.dotted(node)
        found = self._constants.get(dotted)
        return found[0] if found is not None else None


def literal_of(node: ast.expr | None) -> list[Any] | None:
    """`[value]` of an expression that is written out (sums and products of numbers too); None
    for another."""
    if isinstance(node, ast.Constant):
        value = node.value
        return [value] if value is None or isinstance(value, (str, int, float, bool)) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = literal_of(node.operand)
        if inner is not None and isinstance(inner[0], (int, float)):
            return [-inner[0]]
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Add)):
        left, right = literal_of(node.left), literal_of(node.right)
        if left and right and all(isinstance(one[0], (int, float)) for one in (left, right)):
            times = isinstance(node.op, ast.Mult)
            return [left[0] * right[0] if times else left[0] + right[0]]
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        items = [literal_of(one) for one in node.elts]
        return [[one[0] for one in items if one]] if all(items) else None
    return None


def literal(node: ast.AST | None) -> Any:
    """The value written out, else None."""
    found = literal_of(node) if isinstance(node, ast.expr) else None
    return found[0] if found else None


def _names(node: ast.expr | None, name: str) -> bool:
    return node is not None and any(
        isinstance(one, ast.Name) and one.id == name for one in ast.walk(node)
    )


def _template(text: Any, mark: str) -> Parts:
    if not isinstance(text, str):
        return [["?"]]
    before, _, after = text.partition(mark)
    tail = after.partition("}")[2] if mark == "{" else after
    return [["s", before], ["?"], ["s", tail]]


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        return (target.id, statement.value) if isinstance(target, ast.Name) else ("", None)
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    return "", None


def _arguments(function: Any) -> list[ast.arg]:
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]
