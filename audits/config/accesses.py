"""What is known of each access of an environment variable, and findings at one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from busctl.audit import Finding, Rule, Span


@dataclass(frozen=True, slots=True)
class Access:
    """One access of one variable. `kind`: get, item, in, alternative (tried after another name),
    handed (on to another program), setdefault, write, library, option, field (of a settings
    class), call (of a function that takes the name).
    `default` is `["v", value]`, `["?"]` where it is computed, None where there is none."""

    name: str
    path: str
    kind: str
    default: list[Any] | None
    cast: str
    """The conversion whose error nothing catches; the type of a settings field."""
    import_time: bool
    symbol: str
    anchor: str
    call: Span
    at: Span
    value: Span | None
    test: bool
    shown: bool

    @property
    def reads(self) -> bool:
        return self.kind != "write"


@dataclass(slots=True)
class Variables:
    """What is known of the project's variables."""

    accesses: list[Access] = field(default_factory=list)
    parts: set[tuple[str, str]] = field(default_factory=set)
    """What names that are put together begin and end with; ("", "") for unknown ones."""
    composed: bool = False
    """Whether names are put together from pieces none of which is known here."""
    mentions: dict[str, int] = field(default_factory=dict)
    """Words in strings of the code (2: the whole string)."""
    imports: set[str] = field(default_factory=set)
    settings_paths: set[str] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)
    """Fields of settings that the code itself gives a value."""
    importing: dict[str, set[str]] = field(default_factory=dict)
    """What the files below each folder at the top import, by the first name."""
    packages: set[str] = field(default_factory=set)
    """The project's own packages whose name is of two words or more."""

    def alternatives(self) -> dict[str, set[str]]:
        """The names that are tried in one place, by each of them."""
        tried = {(one.path, one.call) for one in self.accesses if one.kind == "alternative"}
        groups: defaultdict[tuple[str, Span], set[str]] = defaultdict(set)
        for one in self.accesses:
            if (one.path, one.call) in tried:
                groups[one.path, one.call].add(one.name)
        found: defaultdict[str, set[str]] = defaultdict(set)
        for names in groups.values():
            for name in names:
                found[name] |= names
        return dict(found)

    def read(self) -> dict[str, list[Access]]:
        """Reads outside of tests, examples and documentation, by name; of names that are tried
        one after the other, the first."""
        found: defaultdict[str, list[Access]] = defaultdict(list)
        for one in self.accesses:
            if one.kind not in ("write", "alternative") and not one.test and not one.shown:
                found[one.name].append(one)
        return dict(found)

    def written(self) -> set[str]:
        """Names that the project itself sets, outside of its tests."""
        return {one.name for one in self.accesses if one.kind == "write" and not one.test}


def at(
    rule: Rule, access: Access, span: Span, message: str, **more: Any
) -> Finding:  # fmt: skip
    """A finding of a project-wide rule at an access."""
    return Finding(
        code=rule.code, name=rule.name, path=access.path, span=span, message=message,
        severity=more.get("severity", rule.severity), confidence=more["confidence"],
        remedy=more.get("remedy", rule.remedy), evidence=tuple(more.get("evidence", ())),
        symbol=access.symbol, anchor=f"{access.name} {access.anchor}",
    )  # fmt: skip
