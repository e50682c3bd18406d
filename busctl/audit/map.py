"""The hops of a call path: which functions a payload passes from an entry on, and where in them it
is written as JSON, cut, encoded, compressed, sent or stored.

Pure functions over `CallFacts` and `ClassFacts`. Calls are followed where a name leads to a
function of the project; what is called through a value (a callback, a table) is not seen.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from busctl.audit.calls import CallFacts
from busctl.audit.hierarchy import Hierarchy, InconsistentOrder
from busctl.audit.project import Project

VERSION = 1
"""Of the JSON form."""


class NoSuchEntry(Exception):
    """No function of that name is in the project. `likely` holds the names that come near it."""

    def __init__(self, entry: str, likely: Sequence[str]) -> None:
        near = f" Near it: {', '.join(likely)}." if likely else ""
        super().__init__(f"No function {entry!r} is in the files looked at.{near}")
        self.likely = tuple(likely)


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a hop where the payload may change: `kind` is serialise, parse, encode, decode,
    slice, compress, decompress, normalise, send, receive or store."""

    kind: str
    what: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Hop:
    """A function on the path, by its qualified name (`package.module.Class.method`)."""

    name: str
    path: str
    line: int
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """An edge: `caller` calls `callee` at `line` of the caller's file."""

    caller: str
    callee: str
    line: int


@dataclass(frozen=True, slots=True)
class CallMap:
    """`entries` are the names of hops that the paths begin at; hops in the order they are
    reached. `cut_off` are hops whose calls lie beyond the depth that was asked for."""

    entries: tuple[str, ...]
    hops: tuple[Hop, ...]
    calls: tuple[Call, ...]
    cut_off: tuple[str, ...] = ()


def call_map(project: Project, entry: str | None, depth: int) -> CallMap:
    """What is reached from `entry` (a qualified name or the end of one) within `depth` calls, or
    from every tool, route and websocket handler when it is None. Raises NoSuchEntry."""
    known = project.once(Functions)
    entries = known.named(entry) if entry is not None else known.entries()
    hops: dict[str, Hop] = {}
    calls: dict[tuple[str, str], Call] = {}
    cut_off: list[str] = []
    waiting = deque((name, 0) for name in entries)
    while waiting:
        name, distance = waiting.popleft()
        if name in hops:
            continue
        hops[name] = known.hop(name)
        called = list(known.calls(name))
        if distance >= depth:
            cut_off.extend([name] if any(each.callee not in hops for each in called) else [])
            continue
        for each in called:
            calls.setdefault((each.caller, each.callee), each)
            waiting.append((each.callee, distance + 1))
    reached = tuple(each for each in calls.values() if each.callee in hops)
    return CallMap(tuple(entries), tuple(hops.values()), reached, tuple(cut_off))


class Functions:
    """The project's functions by qualified name, and what their calls lead to."""

    def __init__(self, project: Project) -> None:
        self._classes = project.once(Hierarchy)
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._places: dict[str, tuple[str, str]] = {}
        for path, facts in project.facts(CallFacts).items():
            for each in facts["functions"]:
                name = f"{facts['module']}.{each['name']}".lstrip(".")
                self._facts[name] = each
                self._places[name] = (path, facts["module"])

    def entries(self) -> list[str]:
        """The tools, routes and websocket handlers, in the order of their names."""
        return sorted(name for name, each in self._facts.items() if each["entry"])

    def named(self, entry: str) -> list[str]:
        """The functions of a qualified name or the end of one. Raises NoSuchEntry."""
        wanted = entry.replace(":", ".")
        if wanted in self._facts:
            return [wanted]
        found = sorted(name for name in self._facts if name.endswith(f".{wanted}"))
        if not found:
            last = wanted.rpartition(".")[2].lower()
            likely = sorted(name for name in self._facts if last in name.lower())
            raise NoSuchEntry(entry, likely[:MOST_LIKELY])
        return found

    def hop(self, name: str) -> Hop:
        """A function with its transformation points."""
        path, _ = self._places[name]
        facts = self._facts[name]
        points = (Point(each["kind"], each["what"], path, each["line"]) for each in facts["points"])
        return Hop(name, path, facts["line"], tuple(points))

    def calls(self, name: str) -> Iterator[Call]:
        """What a function calls in this project, each callee once."""
        seen: set[str] = set()
        for each in self._facts[name]["calls"]:
            for callee in self._callees(name, each["to"]):
                if callee not in seen:
                    seen.add(callee)
                    yield Call(name, callee, each["line"])

    def _callees(self, caller: str, dotted: str) -> list[str]:
        first, _, rest = dotted.partition(".")
        facts, module = self._facts[caller], self._places[caller][1]
        own = f"{module}.{facts['class']}".lstrip(".") if facts["class"] else ""
        if first in {"self", "cls"} and own and rest:
            return self._method(own, rest, after="")
        if first == "super()" and own and rest:
            return self._method(own, rest, after=own)
        if not rest:
            # A function of the same function, or of the same module.
            for scope in (caller, module):
                if (name := f"{scope}.{first}".lstrip(".")) in self._facts:
                    return [name]
            dotted = f"{module}.{first}".lstrip(".")
        return self._resolved(module, dotted)

    def _resolved(self, module: str, dotted: str) -> list[str]:
        for name in (dotted, f"{module}.{dotted}".lstrip(".")):
            if name in self._facts:
                return [name]
            found = self._classes.definition(name)
            if found in self._facts:
                return [found]
            if found in self._classes.classes:
                return self._method(found, "__init__", after="")
            owner, _, method = name.rpartition(".")
            if owner and (identity := self._classes.resolve(owner)) in self._classes.classes:
                return self._method(identity, method, after="")
        return []

    def _method(self, identity: str, name: str, after: str) -> list[str]:
        try:
            order = self._classes.order(identity) or (identity,)
        except InconsistentOrder:
            order = (identity,)
        for each in order[1 if after else 0 :]:
            if f"{each}.{name}" in self._facts:
                return [f"{each}.{name}"]
        return []


MOST_LIKELY = 5
"""Names that are offered for one that is not there."""


# --- forms ---------------------------------------------------------------------------------------


def render_text(found: CallMap) -> str:
    """A tree: each hop once in full, `↑` where it came before."""
    hops = {each.name: each for each in found.hops}
    below = _below(found)
    lines: list[str] = []
    shown: set[str] = set()
    for entry in found.entries:
        waiting: list[tuple[str, int]] = [(entry, 0)]
        while waiting:
            name, level = waiting.pop()
            again = name in shown
            shown.add(name)
            lines.extend(_as_text(hops[name], level, again, name in found.cut_off))
            if not again:
                waiting.extend((each, level + 1) for each in reversed(below.get(name, ())))
    return "\n".join(lines) + "\n" if lines else "No hops.\n"


def _below(found: CallMap) -> dict[str, list[str]]:
    below: dict[str, list[str]] = {}
    for each in found.calls:
        below.setdefault(each.caller, []).append(each.callee)
    return below


def _as_text(hop: Hop, level: int, again: bool, cut_off: bool) -> Iterator[str]:
    indent = "  " * level
    if again:
        yield f"{indent}{hop.name} ↑"
        return
    yield f"{indent}{hop.name}  {hop.path}:{hop.line}{'  (deeper calls not shown)' * cut_off}"
    for each in hop.points:
        yield f"{indent}  · {each.kind:<10} {each.what}  {each.path}:{each.line}"


def render_json(found: CallMap) -> str:
    """`{"version", "entries", "hops": [{name, path, line, points}], "calls", "cut_off"}`."""
    return json.dumps({"version": VERSION, **asdict(found)}, indent=2, ensure_ascii=False) + "\n"


def render_mermaid(found: CallMap) -> str:
    """A Mermaid flowchart: one node a hop, its transformation points below its name."""
    numbers = {each.name: f"h{number}" for number, each in enumerate(found.hops)}
    lines = ["flowchart TD"]
    for hop in found.hops:
        said = [_escaped(hop.name), *(f"{each.kind} · line {each.line}" for each in hop.points)]
        left, right = ("([", "])") if hop.name in found.entries else ("[", "]")
        lines.append(f'    {numbers[hop.name]}{left}"{"<br/>".join(said)}"{right}')
    lines.extend(f"    {numbers[each.caller]} --> {numbers[each.callee]}" for each in found.calls)
    changing = [numbers[hop.name] for hop in found.hops if hop.points]
    if changing:
        lines.append("    classDef changes stroke-width:3px")
        lines.append(f"    class {','.join(changing)} changes")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
