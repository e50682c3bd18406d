"""How much speaks for a fault: the weights of all evidence that holds, added up."""

from __future__ import annotations

from audits.silent.case import Case
from audits.silent.done import called_failure
from audits.silent.evidence import BIAS, GRAVE, WEIGHED
from audits.silent.exceptions import Kind

REPORTED = -1.4
LIKELY = -0.7
SURE = 0.0


def weigh(case: Case) -> None:
    """Collect the evidence."""
    case.score = BIAS
    for one in (*GRAVE, *WEIGHED):
        said = one.say(case)
        if said:
            case.weigh(one.weight, said)
            case.excused = case.excused or one.weight < 0


def is_plain(case: Case) -> bool:
    """The function is one guard over everything, bare or told to a debug log only, and nothing
    says that a failure is expected."""
    dropped = called_failure(case) if case.debugged else not case.one.types
    whole = case.setting.whole and case.reaction.effect == "pass" and not case.setting.documented
    return whole and dropped and case.kind is Kind.EVERYTHING and not case.excused
