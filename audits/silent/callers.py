"""What the rest of the project shows of a function: whether it tells, and what callers make of
its answer; and at which level the project's log begins."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audits.shelter import is_broad
from audits.silent import loguru
from audits.silent.aftermath import complains
from audits.silent.guarded import functions, inside
from audits.silent.sinks import Loudness, loudness, wrapped
from audits.silent.unfailing import risks, unfailing
from audits.silent.words import words
from audits.silent.work import SAFE
from busctl.audit import FUNCTIONS, Facts, Project, Source, walk

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "WARN": 30, "ERROR": 40, "CRITICAL": 50}
_MOST = 4000


class Callers(Facts):
    """By bare function name: where it is defined, whether it tells, and how it is called."""

    def collect(self, source: Source) -> Any:
        if source.is_test:
            return None
        defined = Counter(each.name for each in functions(source))
        loud = {
            name for name, loud in wrapped(source).items() if loud is Loudness.HEARD
        }  # fmt: skip
        ignored, noticed, used = _uses(source)
        return {
            "defined": dict(defined), "loud": sorted(loud), "ignored": sorted(ignored),
            "noticed": sorted(noticed), "used": sorted(used), "levels": _levels(source),
            "reports": sorted(_reporting(source)), "risks": risks(source),
            "loguru": loguru.begins(source),
        }  # fmt: skip


def _reporting(source: Source) -> set[str]:
    """The functions most of which stands under their own broad guard that warns."""
    found = set()
    for guard in source.nodes(ast.Try):
        around = source.parent(guard)
        if not isinstance(around, FUNCTIONS) or not any(map(is_broad, guard.handlers)):
            continue
        inner = sum(1 for _ in source.within(guard, ast.Call))
        most = 2 * inner >= sum(1 for _ in source.within(around, ast.Call))
        if most and any(_warns(source, each) for each in guard.handlers if is_broad(each)):
            found.add(around.name)
    return found


def _warns(source: Source, handler: ast.ExceptHandler) -> bool:
    """Whether it logs at warning or above, and does not raise on top of it."""
    nodes = [*inside(handler.body)]
    return not any(isinstance(node, ast.Raise) for node in nodes) and any(
        isinstance(node, ast.Call) and loudness(source, node) is Loudness.HEARD for node in nodes
    )


def _uses(source: Source) -> tuple[set[str], set[str], set[str]]:
    ignored: set[str] = set()
    noticed: set[str] = set()
    used: set[str] = set()
    for number, call in enumerate(source.nodes(ast.Call)):
        name = _bare(call)
        if not name or name in SAFE or number > _MOST:
            continue
        around = source.parent(call)
        if isinstance(around, ast.Await):
            around = source.parent(around)
        if isinstance(around, ast.Expr):
            ignored.add(name)
        elif _is_noticed(source, call):
            noticed.add(name)
        else:
            used.add(name)
    return ignored, noticed, used


def _bare(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _is_noticed(source: Source, call: ast.Call) -> bool:
    """`if not f(): raise`, or `x = f()` and then `if x is None: raise`."""
    statement = source.statement(call)
    if isinstance(statement, ast.If):
        return complains(source, [*statement.body, *statement.orelse])
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return False
    block = _block(source, statement)
    position = block.index(statement) if statement in block else len(block)
    for each in block[position + 1 : position + 2]:
        if isinstance(each, ast.If) and _mentions(each.test, statement.targets[0].id):
            return complains(source, [*each.body, *each.orelse])
    return False


def _block(source: Source, statement: ast.stmt) -> list[ast.stmt]:
    around = source.parent(statement)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(around, name, None)
        if isinstance(block, list) and statement in block:
            return block
    return []


def _mentions(test: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in walk(test))


def _levels(source: Source) -> list[int]:
    """The levels at which logging is set up: basicConfig and setLevel on the root."""
    found = []
    for call in source.nodes(ast.Call):
        name = source.called(call)
        values = [word.value for word in call.keywords if word.arg == "level"]
        if name == "logging.getLogger().setLevel":
            values = call.args[:1]
        elif name != "logging.basicConfig":
            continue
        found += [level for value in values if (level := _level(source, value)) is not None]
    return found


def _level(source: Source, value: ast.expr) -> int | None:
    if isinstance(value, ast.Constant):
        if isinstance(value.value, int):
            return value.value
        return _LEVELS.get(str(value.value).upper())
    return _LEVELS.get(source.dotted(value).rpartition(".")[2])


@dataclass(slots=True)
class Known:
    """The facts of all files put together."""

    defined: Counter[str] = field(default_factory=Counter)
    loud: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)
    noticed: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    reports: set[str] = field(default_factory=set)
    levels: list[int] = field(default_factory=list)
    risks: dict[str, list[str]] = field(default_factory=dict)
    loguru: list[int] = field(default_factory=list)
    """The levels at which handlers of loguru begin."""
    loguru_removed: bool = False

    def tells(self, name: str) -> bool:
        """Whether the one function of that name logs at warning or above, or raises."""
        return name in self.loud and self.defined[name] == 1

    def reported(self, names: Sequence[str]) -> bool:
        """Whether each is the one function of its name and warns of its own failures."""
        return bool(names) and all(
            name in self.reports and self.defined[name] == 1 for name in names
        )  # fmt: skip

    def unfailing(self, names: Sequence[str]) -> bool:
        """Whether none of these functions can raise, and one of them by its own guard."""
        return unfailing(names, self.risks, self.defined)

    def unread(self, name: str) -> bool:
        """Whether every call of the one function of that name throws its answer away."""
        return (
            self.defined[name] == 1
            and name in self.ignored and name not in self.used and name not in self.noticed
        )  # fmt: skip

    def checked(self, name: str) -> bool:
        """Whether every call of the one function of that name complains when it gives nothing."""
        return (
            self.defined[name] == 1
            and name in self.noticed and name not in self.used and name not in self.ignored
        )  # fmt: skip

    @property
    def begins_at_warning(self) -> bool:
        return bool(self.levels) and min(self.levels) >= 30

    @property
    def loguru_debugs(self) -> bool:
        """Whether a debug line of loguru is written somewhere."""
        return not self.loguru_removed or any(level <= loguru.DEBUG for level in self.loguru)


def known(project: Project) -> Known:
    """All files' facts; ask for it with `project.once(known)`."""
    found = Known()
    facts: Mapping[str, Any] = project.facts(Callers)
    for each in facts.values():
        found.defined.update(each["defined"])
        found.loud.update(each["loud"])
        found.ignored.update(each["ignored"])
        found.noticed.update(each["noticed"])
        found.used.update(each["used"])
        found.reports.update(each["reports"])
        found.levels.extend(each["levels"])
        found.risks.update(each["risks"])
        if each["loguru"]:
            found.loguru.extend(each["loguru"]["levels"])
            found.loguru_removed = found.loguru_removed or each["loguru"]["removed"] == [1]
    return found


def is_project_name(name: str) -> bool:
    """Whether a bare name can be looked up: names everybody uses say nothing."""
    return len(name) > 4 and bool(words(name)) and not name.startswith("__")
