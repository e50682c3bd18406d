"""What the rules on handlers have in common: each reports the verdicts of its own code."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from audits.silent.callers import Callers, is_project_name, known
from audits.silent.case import Case
from audits.silent.guarded import inside
from audits.silent.handlers import Verdict, verdicts
from audits.silent.loguru import writes_debug
from audits.silent.unfailing import called
from audits.silent.wording import message
from busctl.audit import Confidence, Facts, Finding, Project, Rule, Source


class HandlerRule(Rule):
    """A rule that reports handlers judged elsewhere to be of its `code`."""

    family: ClassVar[str] = "silent"
    needs: ClassVar[tuple[type[Facts], ...]] = (Callers,)

    def check(self, source: Source) -> Iterable[Finding]:
        for verdict in verdicts(source):
            if verdict.code == self.code and not verdict.spared:
                yield self._reported(source, verdict)

    def _reported(self, source: Source, verdict: Verdict) -> Finding:
        case = verdict.case
        callees = [
            name for call in case.reaction.calls
            if is_project_name(name := source.called(call).rpartition(".")[2])
        ]  # fmt: skip
        returned = case.setting.name if case.reaction.effect == "return" else ""
        tried = [*case.work.writes, *case.work.reads, *case.work.others]
        asks = {
            "callees": callees, "returned": returned, "info": verdict.informed,
            "tried": sorted({name.rpartition(".")[2] for name in tried}),
            "may_fail": sorted(_may_fail(source, case)),
            "loguru": writes_debug(source, case.reaction.quiet),
        }  # fmt: skip
        return self.finding(
            source, case.one.node, message(case, self.code),
            confidence=verdict.confidence, evidence=case.evidence, asks=asks,
        )  # fmt: skip

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        seen = project.once(known)
        asks = finding.asks
        if any(seen.tells(name) for name in asks["callees"]):
            return None
        if seen.reported(asks["tried"]) or seen.unfailing(asks["may_fail"]):
            return None
        if asks["info"] and not seen.begins_at_warning:
            return None
        if asks["returned"] and seen.checked(asks["returned"]):
            return None
        if asks["returned"] and seen.unread(asks["returned"]):
            evidence = (*finding.evidence, "no caller reads what it returns")
            if finding.confidence is not Confidence.HIGH:
                return replace(finding, evidence=evidence, confidence=Confidence.MEDIUM)
        return finding


def _may_fail(source: Source, case: Case) -> set[str]:
    """The calls of the guarded body that may fail on what a program hands them."""
    asked = set(case.work.worked)
    return {
        called(source, call) for call in inside(case.one.body)
        if isinstance(call, ast.Call) and (source.called(call) or "a call") in asked
    }  # fmt: skip
