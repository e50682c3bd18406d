"""A failure is returned as a value, and no caller looks at it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from audits.silent.callers import Callers, is_project_name, known
from audits.silent.case import Case
from audits.silent.handlers import Verdict, verdicts
from audits.silent.work import joined
from busctl.audit import Confidence, Facts, Finding, Project, Rule, Severity, Source


class UnreadFailure(Rule):
    """A failure is returned as a value, and no caller looks at it."""

    code = "SF013"
    name = "unread-failure"
    family = "silent"
    severity = Severity.WARNING
    summary = "An error becomes a return value that every caller in the project throws away"
    why = (
        "The function was careful to say that it failed. Nobody listens: what was to be stored or "
        "sent is lost, and the program goes on as if it were not."
    )
    remedy = "Look at the result where it is called, or raise instead of returning it."
    needs: ClassVar[tuple[type[Facts], ...]] = (Callers,)
    BAD = (
        """\
class Spool:
    def save_payload(self, payload):
        try:
            self.store.insert(payload)
            return {"ok": True}
        except OSError as error:
            return {"ok": False, "error": str(error)}

    def accept(self, payload):
        self.save_payload(payload)
        return payload.id
""",
        """\
async def publish_claim(socket, claim):
    try:
        await socket.send(claim)
    except OSError as error:
        return error
    return None

async def answer(socket, claim):
    await publish_claim(socket, claim)
""",
    )
    GOOD = (
        """\
class Spool:
    def save_payload(self, payload):
        try:
            self.store.insert(payload)
            return {"ok": True}
        except OSError as error:
            return {"ok": False, "error": str(error)}

    def accept(self, payload):
        saved = self.save_payload(payload)
        return payload.id if saved["ok"] else None
""",
        """\
import logging
log = logging.getLogger(__name__)

def save_payload(store, payload):
    try:
        store.insert(payload)
        return True
    except OSError as error:
        log.error("not stored: %s", error)
        return False

def accept(store, payload):
    save_payload(store, payload)
""",
    )

    def check(self, source: Source) -> Iterable[Finding]:
        for verdict in verdicts(source):
            if _told_by_value_alone(verdict):
                yield self._reported(source, verdict.case)

    def _reported(self, source: Source, case: Case) -> Finding:
        name = case.setting.name
        return self.finding(
            source, case.one.node,
            f"When `{joined(case.work.writes)}()` fails, `{name}` returns `{case.default}`, and "
            f"no caller reads what `{name}` returns: what it was to store or send is lost unseen.",
            confidence=Confidence.MEDIUM,
            evidence=(f"{case.reaction.seen}", "every call in the project throws it away"),
            asks={"returned": name},
        )  # fmt: skip

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        return finding if project.once(known).unread(finding.asks["returned"]) else None


def _told_by_value_alone(verdict: Verdict) -> bool:
    """The error goes into the returned value and nowhere else."""
    case = verdict.case
    found = case.reaction
    if not verdict.spared or found.effect != "return" or not case.work.writes:
        return False
    told = found.seen.startswith(("returns", "keeps")) and not found.calls
    return told and not case.source.is_test and is_project_name(case.setting.name)
