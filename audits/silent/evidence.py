"""The table of evidence on a handler: what is looked for, and how much it weighs.

Weights above 0 speak for a fault. Those of GRAVE are given by hand: each is a fault by itself, too
rare to be measured. Those of WEIGHED are fitted to the labels of tests/conditions/corpus by
logistic regression (fitting.py there), held small by a penalty. Which evidence is kept was decided
by the likelihood of packages that the fit did not see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audits.silent import caught, done, promised, rewriting, stakes
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
BIAS = -1.3
WEIGHED = tuple(
    Evidence(weight, say)
    for weight, say in (
        # What is caught.
        (-0.8, caught.outside),
        (-0.95, caught.shape),
        (-0.95, caught.one_case),
        # What is tried.
        (0.85, caught.keeps),
        (1.25, caught.commits),
        (0.55, caught.keeps_state),
        (0.75, caught.of_storage),
        (0.6, caught.awaits),
        (0.25, caught.busy),
        (1.7, caught.malformed),
        (0.3, caught.hooks),
        (-0.6, caught.about_error),
        (-1.05, caught.introspects),
        (-0.75, caught.of_program),
        (-0.4, caught.of_page),
        # What is done about it, and what follows.
        (1.0, done.looks_real),
        (1.0, done.drops_item),
        (0.65, done.quiet_alone),
        (1.0, done.quiet_outside),
        (-0.8, done.quiet_expected),
        (-1.45, done.flags),
        (-0.4, done.marks),
        (-0.8, done.as_it_came),
        (-0.5, done.shape_asked),
        (-0.7, done.next_follows),
        (-0.55, done.sets_nothing),
        (-0.65, done.fast_path),
        # What is promised.
        (-0.8, promised.commented),
        (-0.65, promised.meant),
        (-0.65, promised.contract),
        (-1.35, promised.beside),
        (-0.9, promised.in_handler),
        # What is at stake.
        (1.6, _open),
        (1.3, stakes.environment),
        (0.95, stakes.near_environment),
        (1.35, stakes.set_by_somebody),
        (0.95, stakes.handed_in),
        (1.15, stakes.money),
        (0.8, stakes.named),
        (0.85, stakes.storage),
        (0.95, stakes.last_attempt),
    )
)
