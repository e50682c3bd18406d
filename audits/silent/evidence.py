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
BIAS = -1.7
WEIGHED = tuple(
    Evidence(weight, say)
    for weight, say in (
        # What is caught.
        (-0.7, caught.outside),
        (0.65, caught.of_database),
        (-0.85, caught.shape),
        (-1.15, caught.absent),
        (-1.05, caught.one_case),
        # What is tried.
        (1.0, caught.keeps),
        (0.95, caught.commits),
        (0.15, caught.keeps_state),
        (0.75, caught.awaits),
        (0.4, caught.busy),
        (1.6, caught.malformed),
        (-0.4, caught.about_error),
        (-1.35, caught.introspects),
        (-0.9, caught.of_program),
        (-1.05, caught.hardly_fails),
        (1.0, caught.at_hand),
        (-0.4, caught.suppressed),
        (-1.0, caught.removes),
        # What is done about it, and what follows.
        (0.7, done.looks_real),
        (0.85, done.misread),
        (0.75, done.odd_one),
        (0.65, done.told_what),
        (1.0, done.drops_item),
        (0.4, done.not_whole),
        (0.35, done.quiet_alone),
        (-0.55, done.quiet_expected),
        (-1.2, done.flags),
        (-0.95, done.marks),
        (-1.3, done.as_it_came),
        (-0.65, done.shape_asked),
        (-0.35, done.next_follows),
        (-0.65, done.fast_path),
        # What is promised.
        (-0.85, promised.explained),
        (-1.0, promised.meant),
        (-0.75, promised.contract),
        (-0.65, promised.other_way),
        (0.8, promised.for_users),
        (-0.45, promised.asks),
        (-0.45, promised.caches),
        (-1.05, promised.in_handler),
        # What it is about.
        (0.8, subject.relied_call),
        (0.65, subject.relied_set),
        (-0.5, subject.helping_named),
        (-0.7, subject.helping_told),
        (-0.5, subject.aside),
        (-0.9, subject.phones_home),
        (-0.55, subject.tells_others),
        (-0.15, subject.may_be_none),
        (-0.35, subject.parses),
        # What is at stake.
        (1.5, _open),
        (1.1, stakes.environment),
        (0.7, stakes.near_environment),
        (1.2, stakes.set_by_somebody),
        (0.2, stakes.handed_in),
        (0.6, stakes.configured),
        (0.9, stakes.money),
        (0.3, stakes.named),
        (0.25, stakes.storage),
        (0.95, stakes.last_attempt),
    )
)
