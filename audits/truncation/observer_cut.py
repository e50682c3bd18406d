"""TR006: an observer cuts what it observes, and judges the rest without having seen it."""

from __future__ import annotations

from collections.abc import Iterable

from audits.truncation.cuts import cuts
from audits.truncation.flow import OUTWARD, Kind, destinations, is_role_message
from audits.truncation.judged import observer_of
from audits.truncation.words import is_payload
from busctl.audit import Confidence, Finding, Rule, Severity, Source


class ObserverCut(Rule):
    """An observer is one by its name: it analyses, validates, watches, reviews, sums up."""

    code = "TR006"
    name = "observer-cut"
    family = "truncation"
    severity = Severity.WARNING
    summary = "What analyses, validates or sums up a payload looks at its beginning only."
    why = (
        "Whatever lies beyond the cut was never looked at, yet the verdict speaks for the whole: "
        "who reads it cannot learn that it rests on an extract."
    )
    remedy = (
        "Give the observer the whole payload (in pieces where it must be), or say in the verdict "
        "how much of it was seen."
    )
    GOOD = (
        """
def analyse(message):
    content = message["content"]
    return model.complete(prompt=f"What went wrong here?\\n{content}")
""",
        """
def analyse(message):
    content = message["content"]
    seen = content[:8000]
    note = "" if seen == content else f"(truncated: {len(seen)} of {len(content)})"
    return model.complete(prompt=f"What went wrong here? {note}\\n{seen}")
""",
    )
    BAD = (
        """
class Watcher:
    async def analyse(self, message):
        content = message["content"]
        prompt = f"What went wrong here?\\n{content[:1000]}"
        return await self.model.complete(prompt)
""",
        """
def moderate(text: str) -> bool:
    verdict = client.moderations.create(input=text[:2000])
    return verdict.results[0].flagged
""",
    )

    def check(self, source: Source) -> Iterable[Finding]:
        for cut in cuts(source):
            function = source.function(cut.node)
            observer = observer_of(source, function) if function is not None else ""
            if not observer or function is None:
                continue
            ends = {each.kind for each in destinations(source, cut.node)}
            prompted = ends != {Kind.SPARED} and is_role_message(source, cut.node)
            if not prompted and not ends - {Kind.SPARED, Kind.KEPT}:
                continue
            strong = prompted or bool(ends & OUTWARD)
            yield self.finding(
                source, cut.node,
                f"{source.symbol(function)}() looks at the {'last' if cut.tail else 'first'} "
                f"{cut.limit} of {cut.what or 'a text'}: the rest is never seen, and its verdict "
                "does not say so.",
                confidence=Confidence.HIGH if strong and is_payload(cut.what) and cut.known
                else Confidence.MEDIUM,
                evidence=(f"named as an observer: {observer}",),
            )  # fmt: skip
