"""What the rules on hardcoded values share: from the judge's verdicts to findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from audits.config.constants import ConstantUses, asked, is_default, uses_of
from audits.config.literals import Hardcoded, hardcoded
from audits.config.moved import edits, value_at, variables
from audits.config.words import Kind
from busctl.audit import Finding, Project, Rule, Source, Span


class HardcodedRule(Rule):
    """A rule on one kind of literal. Subclasses say `kind` and how it is told."""

    family = "config"
    kind: ClassVar[Kind]
    needs = (ConstantUses,)

    def check(self, source: Source) -> Iterable[Finding]:
        for each in hardcoded(source):
            if each.verdict.kind is self.kind:
                yield self._told(source, each)

    def _told(self, source: Source, found: Hardcoded) -> Finding:
        verdict = found.verdict
        variable = self.variable(source, found)
        read = (f"--fix reads it from {variable}",) if variable else ()
        return self.finding(
            source, found.place.node, self.told(source, found), asks=found.asks,
            confidence=verdict.confidence, evidence=(*verdict.evidence, *read),
        )  # fmt: skip

    def told(self, source: Source, found: Hardcoded) -> str:
        """What is lost, and who cannot learn of it."""
        raise NotImplementedError

    def variable(self, source: Source, found: Hardcoded) -> str:
        """The environment variable that the fix reads; "" where it cannot be mended so."""
        return variables(source).get(source.span(found.place.node), "")

    def fix(self, source: Source, finding: Finding) -> Sequence[tuple[Span, str]]:
        return edits(source, finding)

    def moved(self, source: Source, finding: Finding) -> tuple[str, str] | None:
        name = variables(source).get(finding.span)
        return (name, value_at(source, finding.span)) if name else None

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        module, name = asked(finding)
        uses = uses_of(project, module, name)
        if is_default(uses) or not uses & set(finding.asks["uses"]):
            return None
        return finding


def where(source: Source, found: Hardcoded) -> str:
    """`in f` or `in the module`, for messages."""
    symbol = source.symbol(found.place.node)
    return f"in {symbol}" if symbol else "in this module"
