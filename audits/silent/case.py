"""All that is known of one handler, read once and judged by several."""

from __future__ import annotations

import ast
from functools import cached_property

from audits.silent import origin
from audits.silent.aftermath import following
from audits.silent.exceptions import Kind, kind_of_all
from audits.silent.guarded import Guarded
from audits.silent.reaction import Reaction, reaction
from audits.silent.setting import Setting, comments, domain, setting
from audits.silent.work import Work, work
from busctl.audit import Source


class Case:
    """One place where exceptions stop, with what is caught, tried, done and promised there.

    Each part is read when somebody first asks: most handlers are spared by what they do alone.
    """

    def __init__(self, source: Source, one: Guarded) -> None:
        self.source = source
        self.one = one
        self.evidence: list[str] = []
        self.score = 0.0
        self.excused = False

    @cached_property
    def kind(self) -> Kind:
        return kind_of_all(self.one.types)

    @cached_property
    def reaction(self) -> Reaction:
        return reaction(self.source, self.one)

    @cached_property
    def work(self) -> Work:
        return work(self.source, self.one)

    @cached_property
    def setting(self) -> Setting:
        return setting(self.source, self.one)

    @cached_property
    def after(self) -> list[ast.stmt]:
        """The statements that run next, to the function's end."""
        return following(self.source, self.one)

    @cached_property
    def comment(self) -> str:
        """What is written in the handler and on the line above its `except`."""
        return comments(self.source, self.one)

    @cached_property
    def stake(self) -> str:
        """money, access, a limit or configuration, by the function's name."""
        return domain(self.setting.said)

    @cached_property
    def asked(self) -> str:
        """What is parsed and was handed in: the environment, a setting, a part of a request."""
        if self.kind not in (Kind.SHAPE, Kind.EVERYTHING):
            return ""
        return origin.asked(self.source, self.one, self.work)

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
