"""TR001: a payload is cut on its way out, and nothing tells who receives it."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from audits.truncation.cuts import Cut, cuts
from audits.truncation.flow import OUTWARD, Destination, Kind, destinations, is_role_message
from audits.truncation.judged import observer_of
from audits.truncation.words import is_payload
from busctl.audit import Confidence, Finding, Function, Rule, Severity, Source


class PayloadCut(Rule):
    """Decided by where the cut value goes: sent, stored, answered, prompted or returned."""

    code = "TR001"
    name = "payload-cut"
    family = "truncation"
    severity = Severity.WARNING
    summary = "Text or bytes are cut at a length on their way out, without a word about it."
    why = (
        "What lies beyond the limit is lost. Who receives the value sees a whole answer: no "
        "mark, flag, size or error tells that there was more."
    )
    remedy = (
        "Pass the whole payload (by reference where it is large), or tell: a `truncated` flag "
        "with the full size, a mark in the text, or an error."
    )
    GOOD = (
        # A log line.
        """
def fetch(client, url):
    content = client.get(url).text
    logger.debug("got %s", content[:500])
    return content
""",
        # The reader is told.
        """
def tool(path):
    text = path.read_text()
    truncated = len(text) > 5000
    return {"content": text[:5000], "truncated": truncated, "size": len(text)}
""",
        # Cut into pieces, and every piece is sent.
        """
def send(channel, text):
    while text:
        channel.send(text[:2000])
        text = text[2000:]
""",
        # Labels, ids and previews say what they are; a beginning is enough to tell a kind.
        """
def describe(page):
    content = page.read_text()
    kind = detect_type(content[:2048])
    return {"preview": content[:300], "kind": kind}
""",
    )
    BAD = (
        """
class Reranker:
    _MAX_CHARS = 4000

    def rank(self, question, documents):
        for document in documents:
            text = str(document)
            yield self.model.complete(prompt=f"{question}: {text[: self._MAX_CHARS]}")
""",
        """
def searched(result, document):
    result.full_content = document.content[:3500]
    return result
""",
        """
def run_tool(name, arguments):
    output = str(TOOLS[name](**arguments))
    return {"content": output[:4000], "tool": name}
""",
        """
MAX_BODY = 10_000

async def forward(response, websocket):
    body = await response.text()
    await websocket.send_text(body[:MAX_BODY])
""",
        """
def remember(db, message: str):
    db.execute("insert into messages (body) values (%s)", (message[:2000],))
""",
    )

    def check(self, source: Source) -> Iterable[Finding]:
        for cut in cuts(source):
            function = source.function(cut.node)
            if function is None or _is_asked_for(cut, function):
                continue
            if not observer_of(source, function):
                ends = destinations(source, cut.node)
                end = _worst(source, cut, ends)
                if end is not None:
                    yield self._said(source, cut, end, function)

    def _said(self, source: Source, cut: Cut, end: Destination, function: Function) -> Finding:
        sure = _confidence(source, cut, end, function)
        return self.finding(
            source, cut.node,
            f"{source.symbol(function)}() cuts {cut.what or 'a text'} at {cut.limit}"
            f"{' (its end is kept)' if cut.tail else ''} and it is {_named(end)}: the rest is "
            "lost, and who receives it cannot tell that there was more.",
            confidence=sure,
            evidence=(f"{end.kind}{f' by {end.what}' if end.what else ''}",),
        )  # fmt: skip


def _named(end: Destination) -> str:
    by = f" ({end.what})" if end.what else ""
    return f"{end.kind}{by}"


def _worst(source: Source, cut: Cut, ends: list[Destination]) -> Destination | None:
    if {each.kind for each in ends} != {Kind.SPARED} and is_role_message(source, cut.node):
        return Destination(Kind.PROMPTED)
    for kind in (*OUTWARD, Kind.RETURNED, Kind.YIELDED):
        for end in ends:
            if end.kind is kind:
                return end
    for end in ends:
        if end.kind is Kind.KEPT and is_payload(end.what) and (cut.known or _is_told_by_name(cut)):
            return end
    return None


def _is_told_by_name(cut: Cut) -> bool:
    """`result.full_content = document.content[:3500]`, longer than an abstract for people."""
    return is_payload(cut.what) and (cut.constant is None or cut.constant >= _LEAST_KEPT)


_LEAST_KEPT = 1000


def _confidence(source: Source, cut: Cut, end: Destination, function: Function) -> Confidence:
    if _parameters(cut, function):
        return Confidence.LOW
    payload = is_payload(cut.what)
    if end.kind in OUTWARD and payload and cut.known:
        return Confidence.HIGH
    if payload or (cut.known and cut.what in _NAMELESS):
        return Confidence.MEDIUM
    return Confidence.LOW


_NAMELESS = {"", "join", "joined", "dumps", "result", "results", "text_content", "value", "full"}
"""Names that say neither payload nor anything else."""


def _is_asked_for(cut: Cut, function: Function) -> bool:
    """The limit is a parameter without a default: every caller chose it."""
    named = _parameters(cut, function)
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    given = {each.arg for each in positional[len(positional) - len(arguments.defaults) :]}
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    given |= {each.arg for each, default in pairs if default is not None}
    return bool(named - given)


def _parameters(cut: Cut, function: Function) -> set[str]:
    """The parameters that the limit is made of."""
    constants = {
        id(each.value) for each in ast.walk(cut.bound)
        if isinstance(each, ast.Attribute) and each.attr.isupper()
    }  # fmt: skip
    names = {
        each.id for each in ast.walk(cut.bound)
        if isinstance(each, ast.Name) and id(each) not in constants
    }  # fmt: skip
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return names & {each.arg for each in every}
