"""The rules that are installed: what the entry point group `busctl.audits` leads to.

An entry point names a package or module; every module below it is looked through for rules, so
that adding a rule touches one file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from busctl.audit.rule import Rule

GROUP = "busctl.audits"


class RulePackError(Exception):
    """A rule pack cannot be loaded, or two rules have one code."""


@cache
def rules() -> tuple[Rule, ...]:
    """Every installed rule, by code. Raises RulePackError."""
    found: dict[str, Rule] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        for rule in _of(point):
            other = found.setdefault(rule.code, rule)
            if type(other) is not type(rule):
                raise RulePackError(
                    f"rule {rule.code} is defined twice: by {type(other).__module__} and by "
                    f"{type(rule).__module__}"
                )
    return tuple(found[code] for code in sorted(found))


def _of(point: EntryPoint) -> Iterator[Rule]:
    try:
        loaded = point.load()
        modules = list(_modules(loaded))
    except Exception as error:
        # Whatever somebody else's module raises: the run must not go on without its rules unseen.
        raise RulePackError(
            f"the rule pack {point.name!r} ({point.value}) cannot be loaded: {error!r}"
        ) from error
    for module in modules:
        for value in vars(module).values():
            if (
                isinstance(value, type) and issubclass(value, Rule)
                and value.__module__ == module.__name__ and hasattr(value, "code")
            ):  # fmt: skip
                yield value()


def _modules(root: ModuleType) -> Iterator[ModuleType]:
    yield root
    for each in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{root.__name__}."):
        yield importlib.import_module(each.name)
