"""TR002: bytes of a payload that are no valid text are dropped or replaced."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from audits.truncation.flow import OUTWARD, Destination, Kind, destinations
from audits.truncation.texts import name_of
from audits.truncation.words import is_error, is_label, is_payload, listed, shortens
from busctl.audit import Confidence, Finding, Rule, Severity, Source

_CODECS = frozenset({"decode", "encode"})
_OPENS = frozenset({"open", "read_text"})


class LossyDecoding(Rule):
    """`errors="ignore"` or `"replace"` where the result goes out as the payload."""

    code = "TR002"
    name = "lossy-decoding"
    family = "truncation"
    severity = Severity.WARNING
    summary = "Bytes that do not decode are ignored or replaced, and the result is passed on."
    why = (
        "The payload is changed for good: the original bytes cannot be had back from what is "
        "stored or sent, and no error tells whoever reads it."
    )
    remedy = (
        "Decode strictly and report what fails, pass the bytes on as bytes, or keep them with "
        '`errors="surrogateescape"`.'
    )
    GOOD = (
        """
def show(line: bytes) -> None:
    print(line.decode("utf-8", errors="replace"))
""",
        """
def read(response):
    return response.content.decode("utf-8")
""",
        """
def slugify(text):
    return text.encode("ascii", "ignore").decode().lower()
""",
    )
    BAD = (
        """
def read(path):
    return open(path, errors="ignore").read()
""",
        """
def read(path):
    with open(path, errors="ignore") as file:
        return file.read()
""",
        """
def text_of(raw):
    return raw.decode("utf-8", errors="replace")
""",
        """
async def forward(body: bytes, websocket):
    await websocket.send_text(body.decode("utf-8", errors="ignore"))
""",
        """
def load_document(path):
    with open(path, "rb") as file:
        content = file.read().decode("utf-8", errors="ignore")
    return {"content": content}
""",
    )

    def check(self, source: Source) -> Iterable[Finding]:
        if source.is_test or source.is_shown:
            return
        for call in source.nodes(ast.Call):
            mode = _mode(call)
            if mode and not _spared(source, call):
                found = self._judged(source, call, mode)
                if found is not None:
                    yield found

    def _judged(self, source: Source, call: ast.Call, mode: str) -> Finding | None:
        read = _read_from(source, call)
        ends = [end for node in read for end in destinations(source, node)]
        end = next((each for each in ends if each.kind in OUTWARD), None)
        what = name_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        payload = is_payload(what) or _becomes_payload(source, call, ends)
        answered = any(isinstance(source.parent(node), ast.Return) for node in read)
        if end is None and (payload or answered):
            end = next((each for each in ends if each.kind in _ONWARD), None)
        if end is None:
            return None
        function = source.function(call)
        confidence, severity = _weight(mode, end, payload)
        if end.kind not in OUTWARD and not payload:  # who calls may know that it is only shown
            confidence = Confidence.LOW
        coded = "encode" if _named(call) == "encode" else "decode"
        done = "drops" if mode == "ignore" else "replaces"
        return self.finding(
            source, call,
            f"{source.symbol(function) if function else 'The module'}() {done} the bytes of "
            f"{what or 'a payload'} that do not {coded}, and the result is {end.kind}: "
            "who receives it cannot tell that it was changed.",
            confidence=confidence, severity=severity, evidence=(f'errors="{mode}"',),
        )  # fmt: skip


def _named(call: ast.Call) -> str:
    """`encode`, `decode`, `open` …: what is called."""
    return name_of(call.func).rpartition(".")[2]


def _read_from(source: Source, call: ast.Call) -> list[ast.AST]:
    """The calls that give the text: this one, or the `.read()` of the file that it opens."""
    if _named(call) != "open":
        return [call]
    holder = source.parent(call)
    if isinstance(holder, ast.Attribute):
        return [read for read in [source.parent(holder)] if isinstance(read, ast.Call)]
    opened = holder.optional_vars if isinstance(holder, ast.withitem) else None
    around = source.parent(holder) if isinstance(holder, ast.withitem) else None
    if not isinstance(opened, ast.Name) or around is None:
        return []
    return [
        each for each in source.within(around, ast.Call)
        if isinstance(each.func, ast.Attribute) and each.func.attr in ("read", "readlines")
        and isinstance(each.func.value, ast.Name) and each.func.value.id == opened.id
    ]  # fmt: skip


def _becomes_payload(source: Source, call: ast.Call, ends: list[Destination]) -> bool:
    statement = source.statement(call)
    if isinstance(statement, ast.Assign) and is_payload(name_of(statement.targets[0])):
        return True
    return any(is_payload(each.under) for each in ends)


_ONWARD = frozenset({Kind.RETURNED, Kind.YIELDED})


def _weight(mode: str, end: Destination, payload: bool) -> tuple[Confidence, Severity]:
    if mode == "ignore":
        sure = Confidence.HIGH if end.kind in OUTWARD and payload else Confidence.MEDIUM
        return sure, Severity.WARNING
    # U+FFFD stays visible to who looks for it.
    return Confidence.LOW, Severity.NOTE


def _mode(call: ast.Call) -> str:
    function = call.func
    given = [each.value for each in call.keywords if each.arg == "errors"]
    if not (isinstance(function, ast.Attribute) and function.attr in _CODECS):
        if _named(call) not in _OPENS:
            return ""
    else:
        given = given or call.args[1:2]
    value = given[0].value if given and isinstance(given[0], ast.Constant) else None
    return value if value in {"ignore", "replace"} else ""


def _spared(source: Source, call: ast.Call) -> bool:
    function = source.function(call)
    if function is None or shortens(function.name):
        return True
    what = name_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    read = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call)
    if is_error(what) or what in {"stdout", "line", "output"} or (is_label(what) and not read):
        return True
    around = source.class_of(function)
    name = f"{around.name if around else ''}.{function.name}".lower()
    if any(word in name for word in _NORMALISES):
        return True
    return _only_of_part(call) or _round_trip(source, call)


_NORMALISES = listed(
    """slug ascii normal clean surrogate unicode header filename to_str to_text text_type
    strip filter url recover"""
)


def _only_of_part(call: ast.Call) -> bool:
    """`data[:n].decode(errors="ignore")`: the cut is what loses, not the decoding."""
    return (
        isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Subscript)
        and (isinstance(call.func.value.slice, ast.Slice))
    )


def _round_trip(source: Source, call: ast.Call) -> bool:
    """`text.encode("utf-8", "ignore").decode()` takes lone surrogates out: no text is lost that
    could be sent."""
    inner = call.func.value if isinstance(call.func, ast.Attribute) else None
    around = source.parent(call)
    return (isinstance(around, ast.Attribute) and around.attr == "decode") or (
        isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute)
        and inner.func.attr == "encode"
    )  # fmt: skip
