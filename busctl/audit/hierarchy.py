"""The classes of a whole project: what their bases are, and the order Python looks them up in."""

from __future__ import annotations

import builtins
import importlib
from abc import ABCMeta
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from busctl.audit.classes import OPAQUE, ClassFacts
from busctl.audit.project import Project

# They have no method of their own that matters here, and Python moves or drops them in an order.
_WEIGHTLESS = {
    "object", "typing.Generic", "typing.Protocol", "typing_extensions.Protocol",
    "typing_extensions.Generic",
}  # fmt: skip


_LONGEST_CHAIN = 20  # imports of imports that are followed
_MOST_STEPS = 200  # modules looked into for one name


class InconsistentOrder(Exception):
    """Python refuses to create this class: its bases contradict each other's order."""


class Modules:
    """The project's modules by dotted name, also by the end of it: a checkout's folder or the
    package's own name may be missing in front of either the path or the import."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._paths = dict(names)
        self._ends: defaultdict[str, set[str]] = defaultdict(set)
        for module in names:
            parts = module.split(".")
            for start in range(1, len(parts)):
                self._ends[".".join(parts[start:])].add(module)

    def split(self, dotted: str) -> tuple[str, str] | None:
        """The module a dotted name begins with, and the rest; None for a name from outside."""
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            head = ".".join(parts[:length])
            module = head if head in self._paths else self._by_end(head, parts[:length])
            if module is not None:
                return module, ".".join(parts[length:])
        return None

    def _by_end(self, head: str, parts: Sequence[str]) -> str | None:
        ends = self._ends.get(head, ())
        if len(ends) == 1 and len(parts) > 1:
            return next(iter(ends))
        for start in range(1, len(parts) - 1):
            # At least two parts: `requests.utils` is not the project's own `utils`.
            shorter = ".".join(parts[start:])
            if shorter in self._paths:
                return shorter
        return None


class Hierarchy:
    """Classes by `module.Qualified.name`. Those of outside are `!dotted`, unknown ones `?…`."""

    def __init__(self, project: Project) -> None:
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._path: dict[str, str] = {}
        self.classes: dict[str, Mapping[str, Any]] = {}
        self.patched: set[str] = set()
        self._resolved: dict[str, str] = {}
        self._below: defaultdict[str, list[str]] | None = None
        self._orders: dict[str, tuple[str, ...] | InconsistentOrder | None] = {}
        twice: set[str] = set()  # in two files: which is meant depends on the run
        for path, facts in project.facts(ClassFacts).items():
            self._facts[facts["module"]] = facts
            self.patched.update(facts["patched"])
            for each in facts["classes"]:
                identity = f"{facts['module']}.{each['name']}".lstrip(".")
                before = self.classes.get(identity)
                both = each if before is None else _either(before, each)
                if both is None or self._path.get(identity, path) != path:
                    twice.add(identity)
                else:
                    self.classes[identity] = both
                self._path[identity] = path
        for identity in twice:
            del self.classes[identity]
        self.modules = Modules(dict.fromkeys(self._facts, ""))

    def path(self, identity: str) -> str:
        """The file a class is in."""
        return self._path[identity]

    def resolve(self, dotted: str) -> str:
        """The identity of the class a dotted name stands for; `!dotted` outside the project,
        `?` where only a run would tell."""
        if dotted not in self._resolved:
            self._resolved[dotted] = self._look_up(dotted, set())
        return self._resolved[dotted]

    def _look_up(self, dotted: str, seen: set[tuple[str, str]]) -> str:
        if dotted == OPAQUE or len(seen) > _MOST_STEPS:
            return "?"
        found = self.modules.split(dotted)
        if found is None:
            return f"!{dotted}"
        return self._in_module(*found, seen)

    def _in_module(self, module: str, rest: str, seen: set[tuple[str, str]]) -> str:
        """A name of a module. `seen` ends circles of imports, which are common between stars."""
        if not rest or (module, rest) in seen:
            return "?"
        seen.add((module, rest))
        facts = self._facts[module]
        first, _, more = rest.partition(".")
        target = facts["names"].get(first)
        if target == OPAQUE:
            return "?"
        if (identity := f"{module}.{rest}".lstrip(".")) in self.classes:
            return identity
        if target is not None:
            return self._look_up(f"{target}.{more}" if more else target, seen)
        starred = [self.modules.split(star) for star in facts["stars"]]
        through = {self._in_module(each[0], rest, seen) for each in starred if each and not each[1]}
        classes = {each for each in through if each[0] not in "?!"}
        if len(classes) == 1:
            return classes.pop()
        if not facts["stars"] and not more and _is_builtin(first):
            return f"!{first}"
        return "?"

    def definition(self, dotted: str) -> str:
        """Where a dotted name of the project leads to through imports and aliases: a qualified
        name of a class, function or value; "" for a name from outside or one that cannot be
        told."""
        for _hop in range(_LONGEST_CHAIN):
            found = self.modules.split(dotted)
            if found is None or not found[1]:
                return ""
            module, rest = found
            here = f"{module}.{rest}"
            first, _, more = rest.partition(".")
            target = self._facts[module]["names"].get(first, OPAQUE)
            if target in {f"{module}.{first}", OPAQUE}:
                return here
            dotted = f"{target}.{more}" if more else target
        return ""

    def bases(self, identity: str) -> list[str]:
        """The direct bases of a class, in their order, weightless ones left out."""
        found = []
        for number, dotted in enumerate(self.classes[identity]["bases"]):
            base = self.resolve(dotted)
            if base.startswith("!") and base[1:] in _WEIGHTLESS:
                continue
            found.append(f"?{identity}:{number}" if base == "?" else base)
        return found

    def below(self, identity: str) -> list[str]:
        """The project's classes that have this one among their direct bases."""
        if self._below is None:
            self._below = defaultdict(list)
            for each in self.classes:
                for base in self.bases(each):
                    self._below[base].append(each)
        return self._below.get(identity, [])

    def order(self, identity: str) -> tuple[str, ...] | None:
        """The C3 order, from the class itself on, `object` left out; classes outside the project
        stand for themselves alone. None where it cannot be told.

        Raises InconsistentOrder when Python could not create the class.
        """
        if identity not in self.classes:
            return _outside(identity)
        if identity not in self._orders:
            self._orders[identity] = None  # a class below itself has no order
            self._orders[identity] = self._linearised(identity)
        order = self._orders[identity]
        if isinstance(order, InconsistentOrder):
            raise order
        return order

    def _linearised(self, identity: str) -> tuple[str, ...] | InconsistentOrder | None:
        bases = self.bases(identity)
        orders = []
        for base in bases:
            try:
                order = self.order(base)
            except InconsistentOrder:
                return None  # said of the base already
            if order is None:
                return None
            orders.append(list(order))
        if len(set(bases)) < len(bases):
            return InconsistentOrder(identity)
        merged = _merge([*orders, list(bases)])
        return InconsistentOrder(identity) if merged is None else (identity, *merged)


def _either(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any] | None:
    """What holds of two definitions of one name, of which the run chooses one; None where their
    bases differ."""
    if one["bases"] != other["bases"] or one["decorators"] != other["decorators"]:
        return None
    members = {}
    for name in {**one["members"], **other["members"]}:
        first, second = one["members"].get(name), other["members"].get(name)
        same = (
            first
            and second
            and all(
                bool(first.get(key)) == bool(second.get(key))
                for key in ("stub", "abstract", "super")
            )
            and first["kind"] == second["kind"]
        )
        given = first or second
        members[name] = first if same else {"kind": "unsure", "line": given["line"]}
    flags = ("abc", "protocol", "dynamic", "on_purpose", "test")
    return {
        **one, "members": members, **{flag: one[flag] or other[flag] for flag in flags},
        "assigned": sorted({*one["assigned"], *other["assigned"]}),
    }  # fmt: skip


def _merge(lists: list[list[str]]) -> list[str] | None:
    """C3: always the first head that is in no other list's tail; None when there is none."""
    merged: list[str] = []
    lists = [each for each in lists if each]
    while lists:
        for each in lists:
            head = each[0]
            if not any(head in other[1:] for other in lists):
                break
        else:
            return None
        merged.append(head)
        lists = [
            rest for one in lists if (rest := one[1:] if one[0] == head else one)
        ]  # fmt: skip
    return merged


# --- the standard library ------------------------------------------------------------------------


def _is_builtin(name: str) -> bool:
    return isinstance(getattr(builtins, name, None), type)


_KNOWN = frozenset({
    "abc", "argparse", "asyncio", "builtins", "collections", "collections.abc",
    "concurrent.futures", "contextlib", "enum", "html.parser", "http.server", "io", "json",
    "logging", "queue", "socketserver", "string", "threading", "typing", "unittest",
})  # fmt: skip


@cache
def _standard(identity: str) -> type | None:
    """A class of the standard library that this Python has; None for any other."""
    module, _, name = identity.removeprefix("!").rpartition(".")
    if not identity.startswith("!") or (module or "builtins") not in _KNOWN:
        return None
    found = getattr(importlib.import_module(module or "builtins"), name, None)
    return found if isinstance(found, type) else None


def _outside(identity: str) -> tuple[str, ...]:
    """The order of a class from outside the project: its own where it is the standard library's,
    otherwise the class alone."""
    standard = _standard(identity)
    if standard is None:
        return (identity,)
    names = (
        each.__qualname__ if each.__module__ == "builtins" else f"{each.__module__}.{each.__name__}"
        for each in standard.__mro__
        if each is not object
    )
    found = tuple(f"!{name}" for name in names if name not in _WEIGHTLESS)
    return found if found and found[0] == identity else (identity,)


def may_enforce(identity: str) -> bool:
    """Whether a class from outside the project could refuse to be made while a method of it is
    abstract, for all that is known."""
    standard = _standard(identity)
    return standard is None or isinstance(standard, ABCMeta)


def may_define(identity: str, name: str) -> bool:
    """Whether a class from outside the project could have this attribute, for all that is known."""
    standard = _standard(identity)
    return standard is None or name in vars(standard)
