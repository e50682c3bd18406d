"""What all files do with the constants of one: used as they are, or only as defaults."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from audits.config.uses import DEFAULT, DERIVED, is_global, names_of, use_of
from audits.config.words import is_constant
from busctl.audit import Facts, Finding, Project, Source

ASSIGNED = "assigned"


class ConstantUses(Facts):
    """`{"uses": [[module, name, use], …]}`: what this file does with constants, its own under
    its own module's name; `ASSIGNED` for one that is set to something not literal."""

    def collect(self, source: Source) -> Any:
        names = names_of(source)
        found: set[tuple[str, str, str]] = set()
        for name, loads in names.loads.items():
            for load in loads:
                module = _module(source, load, name)
                if module is not None and (use := use_of(source, load)):
                    found.add((module, name, use))
        for name, stores in names.stores.items():
            for target, value in stores:
                module = _stored_module(source, target, name)
                if module is not None and not isinstance(value, ast.Constant):
                    found.add((module, name, ASSIGNED))
        return {"uses": sorted(found)} if found else None


def _module(source: Source, load: ast.expr, name: str) -> str | None:
    """Whose name this is: the module's, "." for `self.NAME` and `Class.NAME`; None for a local."""
    if isinstance(load, ast.Name):
        origin = source.imports.get(load.id)
        if origin:
            return origin.rpartition(".")[0]
        return source.module if is_constant(name) or _is_global(source, name) else None
    base = load.value if isinstance(load, ast.Attribute) else None
    if isinstance(base, ast.Name) and base.id in source.imports:
        return source.imports[base.id]
    return "."


def _is_global(source: Source, name: str) -> bool:
    return any(
        isinstance(target, ast.Name)
        and isinstance(source.parent(source.statement(target)), ast.Module)
        for target, _ in names_of(source).stores.get(name, ())
    )


def _stored_module(source: Source, target: ast.AST, name: str) -> str | None:
    if isinstance(target, ast.Attribute):
        base = target.value
        if isinstance(base, ast.Name) and base.id in source.imports:
            return source.imports[base.id]
        return "."
    function = source.function(target)
    if function is None:
        return None
    return source.module if is_global(source, function, name) else None


def uses_of(project: Project, module: str, name: str) -> set[str]:
    """Every use of `module.name` in the project, what is derived from it followed one step."""
    uses = _matching(project, module, name)
    for use in [each for each in uses if each.startswith(DERIVED)]:
        uses.discard(use)
        uses |= {
            each for each in _matching(project, module, use.removeprefix(DERIVED))
            if not each.startswith(DERIVED)
        }  # fmt: skip
    return uses


def _matching(project: Project, module: str, name: str) -> set[str]:
    index: Mapping[str, list[tuple[str, str]]] = project.once(_index)
    own = set(module.split("."))
    return {
        use for origin, use in index.get(name, ())
        if origin == module or (origin != "." and origin.rpartition(".")[2] in own)
    }  # fmt: skip


def _index(project: Project) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for facts in project.facts(ConstantUses).values():
        for module, name, use in facts["uses"]:
            found.setdefault(name, []).append((module, use))
    return found


def is_default(uses: set[str]) -> bool:
    """Whether somebody can have it otherwise: it is a default, or set from elsewhere."""
    return DEFAULT in uses or ASSIGNED in uses


def asked(finding: Finding) -> tuple[str, str]:
    """The constant that a finding asks about."""
    return str(finding.asks["module"]), str(finding.asks["name"])
