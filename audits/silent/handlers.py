"""The judgement on every handler of a file: what kind of fault it is, or why it is none.

Each handler gets one verdict, once a file, so that the rules of this family cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

from audits.silent.case import Case
from audits.silent.category import category
from audits.silent.guarded import guarded
from audits.silent.sinks import Loudness
from audits.silent.sparing import spared
from audits.silent.weighing import LIKELY, REPORTED, SURE, is_plain, weigh
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


_KEPT = "_silent_verdicts"


def verdicts(source: Source) -> list[Verdict]:
    """The verdict on each handler of a file, in no order to rely on."""
    # Kept on the file itself: a verdict holds its file, so that a table would hold it for ever.
    kept = vars(source)
    if _KEPT not in kept:
        kept[_KEPT] = [judge(Case(source, one)) for one in guarded(source)]
    found: list[Verdict] = kept[_KEPT]
    return found


def judge(case: Case) -> Verdict:
    """Spared by one reason, or weighed."""
    reason = spared(case)
    if reason:
        return Verdict(case, reason)
    weigh(case)
    code = category(case)
    if case.score < REPORTED and is_plain(case):
        case.evidence.append("nothing says that a failure is expected here")
    elif case.score < REPORTED:
        return Verdict(case, "; ".join(case.evidence) or "nothing speaks for a fault", code)
    sure = Confidence.HIGH if case.score >= SURE else Confidence.MEDIUM
    found = sure if case.score >= LIKELY else Confidence.LOW
    return Verdict(case, "", code, found, case.reaction.level is Loudness.INFO)
