"""TR003: JSON that says something else than the value it was made of."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from audits.truncation.flow import OUTWARD, Destination, Kind, destinations
from audits.truncation.words import is_label, is_payload, shortens
from busctl.audit import Confidence, Finding, Rule, Severity, Source

_DUMPS = frozenset({"json.dumps", "json.dump", "orjson.dumps", "ujson.dumps", "simplejson.dumps"})


class LossyJson(Rule):
    """`default=str` or `default=repr`, `skipkeys=True`, in what is sent, stored or returned."""

    code = "TR003"
    name = "lossy-json"
    family = "truncation"
    severity = Severity.WARNING
    summary = "Values that JSON cannot hold become their repr, or are left out, in what goes out."
    why = (
        "A bytes value arrives as \"b'...'\", an object as its address, a key that is no text not "
        "at all. Who reads the JSON cannot tell, and nothing can be read back."
    )
    remedy = (
        "Convert the types you mean (`default=` with an isinstance for each, TypeError for the "
        "rest), so that an unknown one is an error where it is made."
    )
    GOOD = (
        """
def log_call(arguments):
    logger.debug("called with %s", json.dumps(arguments, default=str))
""",
        """
def cache_key(arguments):
    return sha256(json.dumps(arguments, default=str, sort_keys=True).encode()).hexdigest()
""",
        """
def as_json(value):
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")

async def answer(websocket, result):
    await websocket.send_text(json.dumps(result, default=as_json))
""",
    )
    BAD = (
        """
import json

async def answer(websocket, result):
    await websocket.send_text(json.dumps({"outputs": result}, default=str))
""",
        """
import json

def save(db, result):
    text = json.dumps(result, skipkeys=True)
    db.execute("insert into results (body) values (%s)", (text,))
""",
    )

    def check(self, source: Source) -> Iterable[Finding]:
        if source.is_test or source.is_shown:
            return
        for call in source.nodes(ast.Call):
            how = _how(source, call)
            if how and not _spared(source, call):
                end = _end(source, call, how)
                if end is not None:
                    yield self._said(source, call, how, end)

    def _said(self, source: Source, call: ast.Call, how: str, end: Destination) -> Finding:
        function = source.function(call)
        lost = (
            "leaves keys that are no text out"
            if how.startswith("skip")
            else ("turns every value JSON does not know into its text form")
        )
        where = f"{source.symbol(function)}()" if function else "This"
        strong = end.kind in OUTWARD
        return self.finding(
            source, call,
            f"{where} {lost} ({how}), and the result is {end.kind}"
            f"{f' ({end.what})' if end.what else ''}: who reads it cannot tell what it was.",
            confidence=Confidence.MEDIUM if strong or how.startswith("skip") else Confidence.LOW,
            evidence=(how,),
        )  # fmt: skip


def _how(source: Source, call: ast.Call) -> str:
    for each in call.keywords:
        how = ""
        if each.arg == "default" and isinstance(each.value, ast.Name):
            how = f"default={each.value.id}" if each.value.id in {"str", "repr"} else ""
        elif each.arg == "skipkeys" and isinstance(each.value, ast.Constant) and each.value.value:
            how = "skipkeys=True"
        if how and source.called(call) in _DUMPS:
            return how
    return ""


def _spared(source: Source, call: ast.Call) -> bool:
    function = source.function(call)
    if function is None:
        return True
    if shortens(function.name) or is_label(function.name):
        return True
    if any(each.arg == "indent" for each in call.keywords):
        return True  # laid out for people
    return any(word in function.name.lower() for word in ("format", "dump", "serial", "json"))


def _end(source: Source, call: ast.Call, how: str) -> Destination | None:
    if source.called(call).endswith(".dump"):
        return Destination(Kind.STORED, source.segment(call.args[1]) if call.args[1:] else "")
    ends = destinations(source, call)
    for each in ends:
        if each.kind in OUTWARD:
            return each
    return next(
        (
            each for each in ends
            if each.kind is Kind.YIELDED
            or (each.kind is Kind.RETURNED and (is_payload(each.under) or how != _AS_TEXT))
        ),
        None,
    )  # fmt: skip


_AS_TEXT = "default=str"
