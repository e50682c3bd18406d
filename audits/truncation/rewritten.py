"""TR004: a payload that is only passed through is rewritten on the way."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from audits.truncation.flow import OUTWARD, Kind, destinations
from audits.truncation.texts import name_of
from audits.truncation.words import is_payload, shortens
from busctl.audit import Confidence, Finding, Function, Rule, Severity, Source

_MEANT = ("format", "pretty", "canonical", "normal", "clean", "collapse", "minif", "indent",
          "parse", "extract", "convert", "prepare", "plain", "render", "tidy", "repair", "fix",
          "search", "query", "token", "html", "heading", "describe", "summar", "embed")  # fmt: skip


class Rewritten(Rule):
    """JSON parsed only to be written again; white space of an output collapsed."""

    code = "TR004"
    name = "rewritten-payload"
    family = "truncation"
    severity = Severity.WARNING
    summary = "A payload is parsed and written again, or its white space collapsed, in passing."
    why = (
        "Key order, duplicate keys, number forms and spacing change, so a checksum taken at the "
        "source no longer fits, and code or tables in a text are spoilt without an error."
    )
    remedy = "Pass the bytes on as they came; parse a copy where something must be looked at."
    GOOD = (
        """
import json

def pretty(text):
    return json.dumps(json.loads(text), indent=2)
""",
        """
import json

def add_session(text, session):
    message = json.loads(text)
    message["session"] = session
    return json.dumps(message)
""",
        """
def normalise_title(content):
    return " ".join(content.split())
""",
    )
    BAD = (
        """
import json

async def forward(websocket, payload):
    await websocket.send(json.dumps(json.loads(payload)))
""",
        """
def tool_answer(result):
    output = result.stdout
    return {"output": " ".join(output.split())}
""",
    )

    def check(self, source: Source) -> Iterable[Finding]:
        if source.is_test or source.is_shown:
            return
        for call in source.nodes(ast.Call):
            what = _reparsed(source, call) or _collapsed(call)
            function = source.function(call) if what else None
            if function is None or _meant(function):
                continue
            ends = {each.kind for each in destinations(source, call)}
            if ends & (OUTWARD | {Kind.RETURNED, Kind.YIELDED}):
                yield self._said(source, call, function, what, bool(ends & OUTWARD))

    def _said(
        self, source: Source, call: ast.Call, function: Function, what: str, strong: bool
    ) -> Finding:
        return self.finding(
            source, call,
            f"{source.symbol(function)}() passes {what} on, so what arrives is not what was "
            "produced, and who receives it cannot tell.",
            confidence=Confidence.MEDIUM if strong else Confidence.LOW,
        )  # fmt: skip


def _meant(function: Function) -> bool:
    name = function.name.lower()
    return shortens(name) or any(word in name for word in _MEANT)


def _reparsed(source: Source, call: ast.Call) -> str:
    """`json.dumps(json.loads(x))`, with nothing asked of the form."""
    if not call.args or not isinstance(call.args[0], ast.Call) or call.keywords:
        return ""
    if source.called(call) != "json.dumps" or source.called(call.args[0]) != "json.loads":
        return ""
    inner = call.args[0].args
    return (
        f"{name_of(inner[0]) or 'a text'}, parsed and written again as other JSON," if inner else ""
    )


def _collapsed(call: ast.Call) -> str:
    """`" ".join(output.split())` of a payload."""
    function = call.func
    if not (
        isinstance(function, ast.Attribute) and function.attr == "join"
        and isinstance(function.value, ast.Constant) and function.value.value == " "
        and len(call.args) == 1 and isinstance(call.args[0], ast.Call)
    ):  # fmt: skip
        return ""
    split = call.args[0]
    if not isinstance(split.func, ast.Attribute) or split.func.attr != "split" or split.args:
        return ""
    name = name_of(split.func.value)
    return f"{name} with its lines and spacing collapsed" if is_payload(name) else ""
