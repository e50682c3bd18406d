"""All environment variables of a project, by name: where each is read, with which default.

Names are resolved across files: constants of other modules, functions that take a name, settings
classes with their prefix, parameters that are given os.environ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from audits.config.accesses import Access, Variables
from audits.config.across import UNKNOWN, Names
from audits.config.environment import EnvironmentFacts
from audits.config.parts import Parts
from busctl.audit import Project, Span

_DEPTH = 4


def variables_of(project: Project) -> Variables:
    """The variables of a project, computed once a run."""
    made: Variables = project.once(_resolve)
    return made


def _resolve(project: Project) -> Variables:
    return _Resolver(project.facts(EnvironmentFacts)).all()


class _Resolver(Names):
    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__(facts)
        self.wrapping: dict[str, list[dict[str, Any]]] = defaultdict(list)
        """For a function, the reads whose name comes from a parameter of it."""
        self.wrapping_lasts: set[str] | None = None
        self.wrappers: dict[str, str] = {}

    def all(self) -> Variables:
        for path, one in self.facts.items():
            self._index(path, one)
        handed = self._handed()
        for path, one in self.facts.items():
            for read in one.get("reads", ()):
                if "of" not in read or (read["of"][0], read["of"][1]) in handed:
                    self._of_read(path, one, read)
        self._hand_on()
        for path, one in self.facts.items():
            for call in one.get("calls", ()):
                self._of_call(path, one, call)
        self._of_settings()
        self.found.accesses.sort(key=lambda one: (one.path, one.at.line, one.at.column))
        return self.found

    # --- reads ---------------------------------------------------------------------------------

    def _of_read(self, path: str, one: Mapping[str, Any], read: Mapping[str, Any]) -> None:
        parts = self._filled(read["parts"])
        if any(part[0] == "p" for part in parts):
            self.wrapping[read["function"]].append(dict(read))
            ends = _ends(parts)
            if ends != ("", "") and read["kind"] != "write":
                self.found.parts.add(ends)  # calls with a variable's value are not all seen
            return
        self._add(path, one, parts, read, self._default(read["default"]))

    def _add(
        self, path: str, one: Mapping[str, Any], parts: Parts, read: Mapping[str, Any],
        default: list[Any] | None,
    ) -> None:  # fmt: skip
        name = "".join(part[1] for part in parts if part[0] == "s")
        if any(part[0] != "s" for part in parts):
            if read["kind"] != "write":
                self.found.parts.add(_ends(parts))
                if len(parts) > 1 and _ends(parts) == ("", ""):
                    self.found.composed = True
            return
        if not name.replace("_", "a").isalnum() or name[0].isdigit():
            return
        value = read.get("value")
        self.found.accesses.append(Access(
            name, path, read["kind"], default, read["cast"], read["import"], read["symbol"],
            read["anchor"], Span(*read["call"]), Span(*read["name"]),
            Span(*value) if value else None, bool(one.get("test")), bool(one.get("shown")),
        ))  # fmt: skip

    def _handed(self) -> set[tuple[str, str]]:
        """(function, parameter) that are given os.environ somewhere."""
        given: defaultdict[str, set[str]] = defaultdict(set)
        for one in self.facts.values():
            for callee, keys in one.get("passed", ()):
                given[callee.rpartition(".")[2]].update(keys)
        handed = set()
        for read in (each for one in self.facts.values() for each in one.get("reads", ())
                     if "of" in each):  # fmt: skip
            function, parameter, position = read["of"]
            own = function.removesuffix(".__init__")
            keys = given.get(own.rpartition(".")[2], set())
            # A method's first parameter is the object: its position may be one further.
            if keys & {parameter, str(position), str(position - 1)}:
                handed.add((function, parameter))
        return handed

    # --- functions that take a name ------------------------------------------------------------

    def _hand_on(self) -> None:
        """Functions that hand their parameter to one that reads become ones that read."""
        for _ in range(_DEPTH):
            before = len(self.wrapping)
            for name, function in self.functions.items():
                if name in self.wrapping:
                    continue
                for callee, arguments in function.get("hands_on", ()):
                    target = self.function(callee)
                    if target and target != name and target in self.wrapping:
                        self.wrapping[name].extend(self._through(target, arguments, function))
            if len(self.wrapping) == before:
                return

    def _through(
        self, target: str, arguments: Mapping[str, Any], function: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        given = self._given(target, arguments)
        for read in self.wrapping[target]:
            parts = self._filled(read["parts"], {key: one["parts"] for key, one in given.items()})
            default = self._given_default(target, read, given)
            own = [one for one in function["parameters"] if "default" in one]
            if own and (default is None or default == ["v", None]):
                default = ["p", own[0]]
            yield {**read, "parts": parts, "default": default,
                   "cast": read["cast"] or function.get("casts", "")}  # fmt: skip

    def _given(self, target: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by the names of the parameters."""
        function = self.functions[target]
        names = function["parameters"][1:] if function["method"] else function["parameters"]
        given = {}
        for key, value in arguments.items():
            if not key.isdigit():
                given[key] = value
            elif int(key) < len(names):
                given[names[int(key)]] = value
        return given

    def _given_default(
        self, target: str, read: Mapping[str, Any], given: Mapping[str, Any]
    ) -> list[Any] | None:
        default: list[Any] | None = read["default"]
        if default is None:
            # `int(os.getenv(name) or default)` and tests for None: the parameter says what it is.
            named = [one for one in self.functions[target]["parameters"] if "default" in one]
            default = ["p", named[0]] if named else None
        if default is None or default[0] != "p":
            return default
        if default[1] in given:
            value: list[Any] = given[default[1]]["value"]
            return value
        own: list[Any] | None = self.functions[target]["defaults"].get(default[1])
        return own

    def _wrapper(self, callee: str) -> str:
        """The function of the project that reads for this call; most calls go past by their own
        name, and each name is looked for once."""
        if self.wrapping_lasts is None:
            self.wrapping_lasts = {
                part for name in self.wrapping for part in name.split(".")[-2:]
            }  # fmt: skip
        if callee.rpartition(".")[2] not in self.wrapping_lasts:
            return ""
        if callee not in self.wrappers:
            target = self.function(callee) or self.function(f"{callee}.__init__")
            self.wrappers[callee] = target if target in self.wrapping else ""
        return self.wrappers[callee]

    def _of_call(self, path: str, one: Mapping[str, Any], call: list[Any]) -> None:
        callee, arguments, place, at, import_time, symbol, anchor, behind = call
        if self._is_object(callee):
            given = arguments.get("1", arguments.get("default", {}))
            self._add(path, one, self._filled(arguments.get("0", {}).get("parts", [UNKNOWN])), {
                "kind": "library", "cast": "", "import": import_time, "symbol": symbol,
                "anchor": anchor, "call": place, "name": at,
            }, self._default(given.get("value")))  # fmt: skip
            return
        target = self._wrapper(callee)
        if not target:
            return
        given = self._given(target, arguments)
        for read in self.wrapping[target]:
            parts = self._filled(read["parts"], {key: each["parts"] for key, each in given.items()})
            if any(part[0] == "p" for part in parts):
                continue
            default = self._default(self._given_default(target, read, given))
            value = next((each["at"] for key, each in given.items() if "default" in key), None)
            if behind and (default is None or default == ["v", None]):
                default, value = self._default(behind[0]), behind[1]
            self._add(path, one, parts, {
                "kind": read["kind"] if read["kind"] in ("write", "alternative") else "call",
                "cast": read["cast"] or self.functions[target].get("casts", ""),
                "import": import_time, "symbol": symbol, "anchor": anchor, "call": place,
                "name": at, "value": value,
            }, default)  # fmt: skip

    # --- settings classes ----------------------------------------------------------------------

    def _of_settings(self) -> None:
        classes = {
            each["class"]: (path, one, each)
            for path, one in self.facts.items() for each in one.get("settings", ())
        }  # fmt: skip
        chains = {name: _chain(name, classes) for name in classes}
        settings = {
            name for name, chain in chains.items()
            if any(base.endswith(".BaseSettings") for known in chain
                   for base in classes[known][2]["bases"])
        }  # fmt: skip
        # Fields of a base are read under the prefix of the classes made from it.
        bases = {known for name in settings for known in chains[name][1:]
                 if classes[name][2]["prefix"] is not None}  # fmt: skip
        for name in sorted(settings - bases):
            chain = chains[name]
            if not classes[name][1].get("test"):
                self.found.settings_paths.add(classes[name][0])
            prefix: Parts = next((classes[known][2]["prefix"] for known in chain
                                  if classes[known][2]["prefix"] is not None), [])  # fmt: skip
            filled = self._filled(prefix)
            if any(part[0] != "s" for part in filled):
                self.found.parts.add(("", ""))
                continue
            text = "".join(part[1] for part in filled)
            delimiter = next((classes[known][2]["delimiter"] for known in chain
                              if classes[known][2]["delimiter"]), "")  # fmt: skip
            seen: set[str] = set()
            for known in chain:
                path, one, each = classes[known]
                fields = [item for item in each["fields"] if item["name"] not in seen]
                seen.update(item["name"] for item in fields)
                self._of_fields(path, one, fields, text, delimiter)

    def _of_fields(
        self, path: str, one: Mapping[str, Any], fields: Iterable[Mapping[str, Any]], prefix: str,
        delimiter: str,
    ) -> None:  # fmt: skip
        for item in fields:
            names = item["aliases"] or [prefix + item["name"]]
            for name in names:
                self._add(path, one, [["s", name.upper()]], {
                    "kind": "field", "cast": item["type"], "import": False,
                    "symbol": item["symbol"], "anchor": item["anchor"], "call": item["at"],
                    "name": item["at"], "value": item["value"],
                }, self._default(item["default"]))  # fmt: skip
                if delimiter:
                    self.found.parts.add((name.upper() + delimiter, ""))


def _chain(name: str, classes: Mapping[str, Any]) -> list[str]:
    """The class and its bases among the settings classes, nearest first."""
    seen: list[str] = []
    waiting = [name]
    while waiting:
        one = waiting.pop(0)
        known = (
            one
            if one in classes
            else next(
                (each for each in classes if each.rpartition(".")[2] == one.rpartition(".")[2]), ""
            )
        )
        if known and known not in seen:
            seen.append(known)
            waiting.extend(classes[known][2]["bases"])
    return seen


def _ends(parts: Parts) -> tuple[str, str]:
    first, last = parts[0], parts[-1]
    prefix = first[1] if first[0] == "s" else ""
    suffix = last[1] if last[0] == "s" else ""
    # "_" alone joins two unknown pieces, and tells no more than they do.
    return ("", "") if len(prefix) + len(suffix) < 3 else (prefix, suffix)
