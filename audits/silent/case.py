"""All that is known of one handler, read once and judged by several."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from audits.silent.exceptions import Kind, kind_of_all
from audits.silent.guarded import Guarded
from audits.silent.reaction import Reaction
from audits.silent.setting import Setting, domain
from audits.silent.words import words
from audits.silent.work import Work
from busctl.audit import Source


@dataclass(slots=True)
class Case:
    """One place where exceptions stop, with what is caught, tried, done and promised there."""

    source: Source
    one: Guarded
    kind: Kind
    work: Work
    reaction: Reaction
    setting: Setting
    after: list[ast.stmt]
    stake: str = ""
    """money, access, a limit or configuration, by the function's name."""
    asked: str = ""
    """What is parsed and was handed in: the environment, a setting, a part of a request."""
    argument: str = ""
    """The function's own parameter that is parsed."""
    near: str = ""
    """The same by the names in the body."""
    evidence: list[str] = field(default_factory=list)
    score: float = 0.0

    def weigh(self, weight: float, why: str) -> None:
        """Add evidence for (above 0) or against a fault."""
        self.score += weight
        self.evidence.append(why)

    @property
    def caught(self) -> str:
        """The caught types as a reader writes them."""
        short = [each.rpartition(".")[2] for each in self.one.types]
        return ", ".join(short) or "every exception"

    @property
    def default(self) -> str:
        """What stands in for the result, as source text."""
        value = self.reaction.value
        if value is None:
            return "None" if self.reaction.effect == "return" else ""
        return ast.unparse(value)[:60]

    @property
    def debugged(self) -> bool:
        return bool(self.reaction.quiet)


def stake_of(found: Setting) -> str:
    """What is at stake by the function's name."""
    return domain(found.said)


def lesser_stake(done: Work) -> str:
    """The same by what the body calls and sets, which says less."""
    called: set[str] = set()
    for name in [*done.calls, *done.sets]:
        called |= words(name)
    return domain(frozenset(called))


def kind(one: Guarded) -> Kind:
    return kind_of_all(one.types)
