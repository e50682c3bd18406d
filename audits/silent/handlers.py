"""The judgement on every handler of a file: what kind of fault it is, or why it is none.

Each handler gets one verdict, once a file, so that the rules of this family cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from audits.silent.aftermath import following
from audits.silent.case import Case, kind, lesser_stake, stake_of
from audits.silent.category import category
from audits.silent.exceptions import Kind
from audits.silent.guarded import Guarded, guarded
from audits.silent.origin import argument, asked
from audits.silent.reaction import reaction
from audits.silent.setting import setting
from audits.silent.sinks import Loudness
from audits.silent.sparing import spared
from audits.silent.weighing import LIKELY, REPORTED, SURE, weigh
from audits.silent.work import work
from busctl.audit import Confidence, Source


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """`spared` is the reason it is no fault, "" where it is the one of `code`. `informed` means
    that it is logged at info: a fault only where the project's log begins above that."""

    case: Case
    spared: str
    code: str = ""
    confidence: Confidence = Confidence.LOW
    informed: bool = False


_judged: WeakKeyDictionary[Source, list[Verdict]] = WeakKeyDictionary()


def verdicts(source: Source) -> list[Verdict]:
    """The verdict on each handler of a file, in no order to rely on."""
    found = _judged.get(source)
    if found is None:
        found = _judged[source] = [judge(read(source, one)) for one in guarded(source)]
    return found


def read(source: Source, one: Guarded) -> Case:
    """What is known of a handler."""
    around, done = setting(source, one), work(source, one)
    return Case(
        source, one, kind(one), done, reaction(source, one), around, following(source, one),
        stake=stake_of(around), near=lesser_stake(done),
    )  # fmt: skip


def judge(case: Case) -> Verdict:
    """Spared by one reason, or weighed."""
    reason = spared(case)
    if reason:
        return Verdict(case, reason)
    if case.kind in (Kind.SHAPE, Kind.EVERYTHING):
        case.asked = asked(case.source, case.one, case.work)
        case.argument = argument(case.source, case.one, case.work)
    weigh(case)
    code = category(case)
    if case.score < REPORTED:
        return Verdict(case, "; ".join(case.evidence) or "nothing speaks for a fault", code)
    sure = Confidence.HIGH if case.score >= SURE else Confidence.MEDIUM
    found = sure if case.score >= LIKELY else Confidence.LOW
    return Verdict(case, "", code, found, case.reaction.level is Loudness.INFO)
