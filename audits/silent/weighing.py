"""How much speaks for a fault: the weights of all evidence that holds, added up."""

from __future__ import annotations

from audits.silent.case import Case
from audits.silent.evidence import BIAS, GRAVE, WEIGHED

REPORTED = -0.6
LIKELY = 0.0
SURE = 0.6


def weigh(case: Case) -> None:
    """Collect the evidence."""
    case.score = BIAS
    for one in (*GRAVE, *WEIGHED):
        said = one.say(case)
        if said:
            case.weigh(one.weight, said)
