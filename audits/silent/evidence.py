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
    Evidence(3.0, _open),
    Evidence(3.0, _cancellation),
    Evidence(8.0, _alternative),
    Evidence(2.5, rewriting.overwritten),
    Evidence(1.5, stakes.environment),
    Evidence(1.5, stakes.last_attempt),
)
BIAS = -1.65
WEIGHED = tuple(
    Evidence(weight, say)
    for weight, say in (
        # What is caught.
        (0.55, caught.everything),
        (-0.55, caught.outside),
        (-0.5, caught.shape),
        (-0.9, caught.one_case),
        (-0.3, caught.chosen),
        # What is tried.
        (0.6, caught.only_reads),
        (0.8, caught.keeps),
        (0.8, caught.of_storage),
        (-0.45, caught.about_error),
        (0.15, rewriting.mixed),
        (0.75, caught.awaits),
        (0.3, caught.busy),
        (-0.35, caught.on_disk),
        (0.8, caught.keeps_state),
        # What is done about it, and what follows.
        (-0.55, done.quiet_answer),
        (-1, done.quiet_expected),
        (-0.55, done.quiet_beside),
        (1, done.looks_real),
        (-0.7, done.says_no),
        (-0.3, done.gives_back),
        (-0.3, done.sets_nothing),
        (-0.3, done.fast_path),
        (0.55, done.drops_item),
        (0.35, done.state),
        # What is promised.
        (-0.55, promised.commented),
        (-0.3, promised.expected),
        (-0.65, promised.meant),
        (-0.65, promised.makes_sense),
        (-0.35, promised.caches),
        (-0.8, promised.measures),
        (-1, promised.beside),
        (-0.35, promised.for_people),
        (-1.1, promised.of_machine),
        (-0.75, promised.in_handler),
        # What is at stake.
        (1.1, stakes.handed_in),
        (-0.9, stakes.argument),
        (0.95, stakes.money),
        (0.45, stakes.near),
        (0.95, stakes.named),
        (0.55, stakes.configuration),
        (0.35, stakes.storage),
        (0.95, stakes.module_level),
    )
)
