"""Constants and functions of a project by the names under which other files know them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from audits.config.accesses import Variables
from audits.config.parts import Parts

UNKNOWN = ["?"]
_GENERAL = {"get", "pop", "read", "load", "find", "fetch", "value", "lookup", "require", "string"}
_HOLDER = re.compile(r"env|conf|sett|cfg", re.IGNORECASE)


def top(path: str) -> str:
    """The folder at the top that a file is in, src/ left out; "" for a file beside them."""
    folders = path.split("/")[:-1]
    if folders[:1] == ["src"]:
        folders = folders[1:]
    return folders[0] if folders else ""


class Names:
    """Names resolved across files; what of them says something on variables goes to `found`."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self.constants: dict[str, Any] = {}
        self.functions: dict[str, dict[str, Any]] = {}
        self.by_last: defaultdict[str, list[str]] = defaultdict(list)
        self.constants_by_last: defaultdict[str, list[str]] = defaultdict(list)
        self.objects: set[str] = set()
        """Readers of environs, django-environ and the like, by their dotted names."""
        self.found = Variables()

    def _index(self, path: str, one: Mapping[str, Any]) -> None:
        module = _module(path)
        for name, value in one.get("constants", {}).items():
            self.constants[f"{module}.{name}"] = value
            self.constants_by_last[name.rpartition(".")[2]].append(f"{module}.{name}")
        for name, function in one.get("functions", {}).items():
            self.functions[name] = function
            self.by_last[name.rpartition(".")[2]].append(name)
        self.objects.update(one.get("objects", ()))
        if one.get("test"):
            return
        for word, how in one.get("mentions", {}).items():
            self.found.mentions[word] = max(how, self.found.mentions.get(word, 0))
        self.found.imports.update(one.get("imports", ()))
        self.found.assigned.update(one.get("assigned", ()))
        package = top(path)
        self.found.importing.setdefault(package, set()).update(one.get("imports", ()))
        if "_" in package:
            self.found.packages.add(package)
        self.found.parts.update((prefix, "") for prefix in one.get("prefixes", ()))
        if one.get("whole"):
            self.found.parts.add(("", ""))
        if one.get("composes"):
            self.found.composed = True

    def constant(self, dotted: str) -> Any:
        """The value of a constant of another module, None when it is not known."""
        if dotted in self.constants:
            return self.constants[dotted]
        same = self.constants_by_last.get(dotted.rpartition(".")[2], ())
        near = [one for one in same if one.endswith("." + dotted)]
        if not near:
            top = dotted.partition(".")[0]
            near = [one for one in same if top in one.split(".")]
        values = {repr(self.constants[one]): self.constants[one] for one in near}
        return next(iter(values.values())) if len(values) == 1 else None

    def function(self, dotted: str) -> str:
        """The qualified name of a project's function as it is called, "" when it is none."""
        if dotted in self.functions:
            return dotted
        holder, _, last = dotted.rpartition(".")
        same = self.by_last.get(last, ())
        near = [one for one in same if one.endswith("." + dotted)]
        if not near and (last not in _GENERAL or _HOLDER.search(holder.rpartition(".")[2])):
            top = dotted.partition(".")[0]
            near = [one for one in same if top in one.split(".")]
        return near[0] if len(near) == 1 else ""

    def _is_object(self, callee: str) -> bool:
        """Whether a call is of a library's reader that another module made."""
        holder = callee.rpartition(".")[0]
        return any(
            made in (callee, holder) or made.endswith(("." + callee, "." + holder))
            for made in self.objects if holder
        )  # fmt: skip

    def _filled(self, parts: Parts, given: Mapping[str, Parts] | None = None) -> Parts:
        filled: Parts = []
        for part in parts:
            if part[0] == "n":
                value = self.constant(part[1])
                part = ["s", value] if isinstance(value, str) else UNKNOWN
            elif part[0] == "p" and given is not None and part[1] in given:
                filled.extend(self._filled(given[part[1]]))
                continue
            filled.append(part)
        return filled

    def _default(self, value: list[Any] | None) -> list[Any] | None:
        if value is None:
            return None
        if value[0] == "n":
            found = self.constant(value[1])
            return ["v", found] if found is not None else UNKNOWN
        return value if value[0] == "v" else UNKNOWN


def _module(path: str) -> str:
    parts = path.removesuffix(".py").split("/")
    parts = parts[1:] if parts[0] == "src" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
