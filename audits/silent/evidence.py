"""The table of evidence on a handler: what is looked for, and how much it weighs.

Weights above 0 speak for a fault. Those of GRAVE are given by hand: each is a fault by itself, too
rare to be measured. Those of WEIGHED are fitted to the labels of tests/conditions/corpus by
logistic regression (fitting.py there), held small by a penalty. Which evidence is kept was decided
by the likelihood of packages that the fit did not see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audits.silent import caught, done, promised, rewriting, stakes, subject
from audits.silent.case import Case
from audits.silent.category import eats_cancellation, fails_open
from audits.silent.sparing import skips_an_alternative


@dataclass(frozen=True, slots=True)
class Evidence:
    """`say` gives the reason as a reader understands it, "" where it does not hold."""

    weight: float
    say: Callable[[Case], str]

    @property
    def key(self) -> str:
        return self.say.__name__


def _open(case: Case) -> str:
    lets = fails_open(case)
    return f"{case.setting.name} lets through what it could not check" if lets else ""


def _cancellation(case: Case) -> str:
    return "it catches the cancellation around an await" if eats_cancellation(case) else ""


def _alternative(case: Case) -> str:
    skips = skips_an_alternative(case)
    return "the first lookup that misses skips the second" if skips else ""


GRAVE = (
    Evidence(3.0, _cancellation),
    Evidence(8.0, _alternative),
    Evidence(2.5, rewriting.overwritten),
)
BIAS = -1.1
WEIGHED = tuple(
    Evidence(weight, say)
    for weight, say in (
        # What is caught.
        (-0.85, caught.outside),
        (0.2, caught.of_database),
        (-1.0, caught.shape),
        (-1.05, caught.one_case),
        # What is tried.
        (1.15, caught.keeps),
        (1.1, caught.commits),
        (0.5, caught.keeps_state),
        (0.6, caught.awaits),
        (0.2, caught.busy),
        (1.7, caught.malformed),
        (-0.55, caught.about_error),
        (-0.95, caught.introspects),
        (-0.5, caught.of_program),
        # What is done about it, and what follows.
        (0.75, done.looks_real),
        (1.0, done.drops_item),
        (1.0, done.quiet_alone),
        (1.1, done.quiet_outside),
        (-0.5, done.quiet_expected),
        (-1.35, done.flags),
        (-0.25, done.marks),
        (-0.9, done.as_it_came),
        (-0.6, done.shape_asked),
        (-0.6, done.next_follows),
        (-0.55, done.sets_nothing),
        (-1.2, done.fast_path),
        # What is promised.
        (-0.7, promised.commented),
        (-0.65, promised.meant),
        (-0.65, promised.contract),
        (-0.7, promised.beside),
        (-0.8, promised.in_handler),
        # What it is about.
        (1.55, subject.relied_call),
        (0.55, subject.relied_set),
        (-1.45, subject.helping_named),
        (-1.05, subject.helping_told),
        (-0.7, subject.aside),
        (-0.8, subject.phones_home),
        (-0.6, subject.codes),
        (-0.45, subject.tells_others),
        (-0.35, subject.may_be_none),
        (-0.75, subject.procedure),
        (-0.4, subject.parses),
        # What is at stake.
        (1.5, _open),
        (0.8, stakes.environment),
        (0.85, stakes.near_environment),
        (1.15, stakes.set_by_somebody),
        (0.7, stakes.handed_in),
        (1.3, stakes.configured),
        (0.95, stakes.money),
        (0.65, stakes.named),
        (0.7, stakes.storage),
        (0.8, stakes.last_attempt),
    )
)
