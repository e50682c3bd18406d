"""What a guarded body does: whether it can fail at all, and what is lost when it does."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from audits.shelter import keeps
from audits.silent.guarded import Guarded, inside
from audits.silent.sinks import Loudness, is_logger, loudness
from audits.silent.words import (
    CACHE,
    CLEANUP,
    READ,
    STORAGE,
    TELEMETRY,
    WRITE,
    all_words,
    group,
    verb,
    words,
)  # fmt: skip
from busctl.audit import Source

# Calls that do not fail on values a program hands them, or only by a mistake in the code.
SAFE = group(
    "len str repr isinstance issubclass hasattr dict list set tuple frozenset bool type id iter "
    "enumerate zip range sorted reversed min max sum any all abs round strip lstrip rstrip lower "
    "upper title split rsplit splitlines partition rpartition startswith endswith join replace "
    "append extend add update items keys values copy get setdefault pop monotonic time now "
    "utcnow perf_counter format casefold count isdigit group groups match fullmatch search sub "
    "findall compile getenv getattr setattr vars callable super locals globals Path"
)
PARSE = group(
    "int float complex Decimal Fraction loads literal_eval fromisoformat strptime UUID urlparse "
    "urlsplit parse_qs parse_qsl ip_address ip_network decode encode b64decode b64encode "
    "urlsafe_b64decode unhexlify fromhex model_validate model_validate_json validate_python "
    "validate_json parse_obj parse_raw safe_load fromtimestamp unpack unpack_from index next "
    "fromstring from_bytes parse parsedate_to_datetime fromkeys int8 model_dump safe_load_all"
)
_PARSE_WORDS = group("parse validate decode deserialize loads unpack convert coerce strptime "
                     "normalize normalise")  # fmt: skip
_DIRECT = group("open connect fetch")


@dataclass(slots=True)
class Work:
    """Counts of calls by what they do, and the names the body sets."""

    calls: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    parses: list[str] = field(default_factory=list)
    cleans: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    telemetry: list[str] = field(default_factory=list)
    sets: list[str] = field(default_factory=list)
    imports: int = 0
    imported: set[str] = field(default_factory=set)
    """The calls into modules that the body imports and nothing else of the file does."""
    awaits: int = 0
    returns: int = 0
    raises: int = 0
    subscripts: int = 0
    statements: int = 0
    parsed: list[ast.Call] = field(default_factory=list)
    """The calls of `parses`."""
    sent: list[ast.Call] = field(default_factory=list)
    """The calls of `writes`."""

    @property
    def only_imports(self) -> bool:
        """Imports, and at most one look into what was imported just there."""
        looks = not self.calls or (len(self.calls) == 1 and self.calls[0] in self.imported)
        return bool(self.imports) and not self.awaits and looks

    @property
    def only_cleans(self) -> bool:
        return bool(self.cleans) and not (self.writes or self.reads or self.others)

    @property
    def only_parses(self) -> bool:
        return bool(self.parses) and not (
            self.writes or self.reads or self.others or self.cleans or self.awaits
        )

    @property
    def only_telemetry(self) -> bool:
        return bool(self.telemetry) and not (self.writes or self.reads or self.others)

    @property
    def cannot_fail(self) -> bool:
        """No call, await or lookup that could raise what is not a mistake in the code itself."""
        return not (self.worked or self.awaits or self.imports)

    @property
    def worked(self) -> list[str]:
        """The calls that may fail on what a program hands them."""
        return [
            *self.writes, *self.reads, *self.others, *self.parses, *self.cleans, *self.telemetry
        ]  # fmt: skip

    @property
    def outside(self) -> bool:
        return bool(self.writes or self.reads or self.awaits)

    @property
    def main(self) -> str:
        """The call whose failure matters most."""
        for some in (self.writes, self.reads, self.others, self.parses, self.cleans):
            if some:
                return some[-1]
        return self.calls[-1] if self.calls else ""


def work(source: Source, one: Guarded) -> Work:
    """Read a guarded body once."""
    found = Work(statements=len(one.body))
    awaited = {
        node.value for node in inside(one.body)
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call)
    }  # fmt: skip
    kept = _kept_inside(one)
    for node in inside(one.body):
        if node in kept:  # its failure never gets here; what it sets may be read all the same
            if isinstance(node, (ast.Name, ast.Attribute)):
                _note(node, found)
            continue
        _note(node, found)
        if isinstance(node, ast.Call):
            _sort(source, node, node in awaited, found)
    if found.imports and found.calls:
        tops = _optional(source, one)
        found.imported = {name for name in found.calls if name.partition(".")[0] in tops}
    return found


def _kept_inside(one: Guarded) -> set[ast.AST]:
    """All that stands under a broad guard inside of this one."""
    return {
        each
        for node in inside(one.body) if isinstance(node, ast.Try) and keeps(node)
        for each in inside(node.body)
    }  # fmt: skip


def _optional(source: Source, one: Guarded) -> set[str]:
    """The packages that only this body imports: neither the project's own nor used elsewhere."""
    own = {node for node in inside(one.body) if isinstance(node, (ast.Import, ast.ImportFrom))}
    tried = {top for node in own for top in _tops(node)}
    used = {
        top for node in source.nodes(ast.Import, ast.ImportFrom) if node not in own
        for top in _tops(node)
    }  # fmt: skip
    return tried - used - {"", source.module.partition(".")[0]}


def _tops(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name.partition(".")[0] for each in node.names]
    if isinstance(node, ast.ImportFrom):
        return ["" if node.level else (node.module or "").partition(".")[0]]
    return []


_COUNTED: dict[type[ast.AST], str] = {
    ast.Import: "imports", ast.ImportFrom: "imports", ast.Await: "awaits", ast.AsyncFor: "awaits",
    ast.AsyncWith: "awaits", ast.Return: "returns", ast.Raise: "raises",
    ast.Subscript: "subscripts",
}  # fmt: skip


def _note(node: ast.AST, found: Work) -> None:
    counted = _COUNTED.get(type(node))
    if counted == "imports" and _is_standard(node):
        return
    if counted:
        setattr(found, counted, getattr(found, counted) + 1)
    elif isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Store):
            found.sets.append(node.id)
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        found.sets.append(node.attr)


def _is_standard(node: ast.AST) -> bool:
    """An import from the standard library, which does not fail."""
    names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom):
        names = [] if node.level else [node.module or ""]
    return bool(names) and all(one.partition(".")[0] in sys.stdlib_module_names for one in names)


def _sort(source: Source, call: ast.Call, awaited: bool, found: Work) -> None:
    name = source.called(call) or (
        call.func.attr if isinstance(call.func, ast.Attribute) else "a call"
    )
    last = name.rpartition(".")[2]
    said = words(last)
    found.calls.append(name)
    loud = loudness(source, call)
    if loud in (Loudness.DEBUG, Loudness.INFO) or (loud is Loudness.HEARD and is_logger(name)):
        return
    act = verb(name)
    if act in CLEANUP or (said & CLEANUP and not act):
        found.cleans.append(name)
    elif last in SAFE and not awaited and not _is_storage(name, last):
        return
    elif last in PARSE or (said & _PARSE_WORDS and not awaited):
        found.parses.append(name)
        found.parsed.append(call)
    elif all_words(name) & TELEMETRY and not all_words(name) & STORAGE:
        found.telemetry.append(name)
    elif act in WRITE and not _is_cache(name) and not _is_of_list(call, last):
        found.writes.append(name)
        found.sent.append(call)
    elif act in READ and (awaited or last in READ or act in _DIRECT or _of_storage(name)):
        found.reads.append(name)
    else:
        found.others.append(name)


def _is_of_list(call: ast.Call, last: str) -> bool:
    """`lines.insert(0, line)`, `lines.insert(-1, line)`: a place by its number is one of a list."""
    at = call.args[0] if len(call.args) == 2 else None
    if isinstance(at, ast.UnaryOp):  # -1
        at = at.operand
    return last == "insert" and isinstance(at, ast.Constant) and isinstance(at.value, int)


def _is_storage(name: str, last: str) -> bool:
    """`redis.get`, `session.add`, `cursor.execute`: a harmless name on something outside."""
    return last in {"get", "add", "update", "pop", "count", "search"} and bool(
        all_words(name.rpartition(".")[0]) & (STORAGE - {"table", "collection"})
        or name.startswith(("requests.", "httpx.", "urllib."))
    )


def _of_storage(name: str) -> bool:
    """`self.client.get_collection`: what is asked is something outside by its name."""
    return bool(words(name.rpartition(".")[0]) & STORAGE)


def _is_cache(name: str) -> bool:
    return bool(all_words(name) & CACHE)


def joined(names: Sequence[str]) -> str:
    """At most two names for a message."""
    return " and ".join(dict.fromkeys(names[:2]))
