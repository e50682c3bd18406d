"""The table of evidence on a handler: what is looked for, and how much it weighs.

Weights above 0 speak for a fault. Those of GRAVE are given by hand: each is a fault by itself, too
rare to be measured. Those of WEIGHED are fitted to the labels of tests/conditions/corpus by
logistic regression (fitting.py there), held small by a penalty, and checked on packages that the
fit did not see; evidence whose weight came out near zero was left out. Two are set by hand between
what the labels say and what the examples say: those on logs at a level nobody sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audits.silent import caught, done, promised, stakes
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
    Evidence(3.0, _open),
    Evidence(3.0, _cancellation),
    Evidence(8.0, _alternative),
    Evidence(1.5, stakes.environment),
    Evidence(1.5, stakes.last_attempt),
)
BIAS = -1.45
WEIGHED = tuple(
    Evidence(weight, say)
    for weight, say in (
        # What is caught.
        (0.6, caught.everything),
        (-0.65, caught.outside),
        (-0.75, caught.shape),
        (-1.15, caught.one_case),
        (-0.4, caught.chosen),
        # What is tried.
        (0.15, caught.writes),
        (-0.3, caught.calls_others),
        (0.5, caught.only_reads),
        (-0.3, caught.only_looks),
        (1.0, caught.keeps),
        (0.8, caught.of_storage),
        (0.35, caught.awaits),
        (0.35, caught.busy),
        (-1.1, caught.on_disk),
        (0.55, caught.keeps_state),
        # What is done about it, and what follows.
        (0.4, done.quiet_failure),
        (-1.0, done.quiet_answer),
        (-1.3, done.quiet_expected),
        (-0.75, done.quiet_beside),
        (1.0, done.looks_real),
        (0.65, done.answers_for_others),
        (-0.6, done.says_no),
        (-0.55, done.gives_back),
        (-0.5, done.sets_nothing),
        (-0.6, done.ends_there),
        (-0.7, done.fast_path),
        # What is promised.
        (-0.6, promised.commented),
        (-0.55, promised.expected),
        (-1.1, promised.meant),
        (-0.55, promised.makes_sense),
        (-0.85, promised.caches),
        (-0.9, promised.measures),
        (-0.95, promised.beside),
        (-0.95, promised.for_people),
        (-1.5, promised.of_machine),
        (-0.7, promised.in_handler),
        # What is at stake.
        (0.9, stakes.handed_in),
        (-0.9, stakes.argument),
        (1.05, stakes.money),
        (1.05, stakes.near),
        (0.95, stakes.configuration),
        (0.35, stakes.storage),
        (1.3, stakes.module_level),
    )
)
