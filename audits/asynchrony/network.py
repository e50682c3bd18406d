"""Which async functions of the project ask the network themselves."""

from __future__ import annotations

import ast
from typing import Any

from audits.asynchrony.blocking import enters_loop
from audits.callees import callees
from audits.clients import VERBS, sent
from audits.names import calls_of, target
from busctl.audit import Facts, Project, Source


class Network(Facts):
    """The absolute names of the async functions with an HTTP call of their own."""

    def collect(self, source: Source) -> Any:
        found = {
            f"{source.module}.{source.symbol(around)}"
            for call in calls_of(source, VERBS)
            if (made := sent(source, call)) and made.is_async
            and (around := enters_loop(source, call))
        }  # fmt: skip
        return sorted(found) or None


class Asking:
    """The set of them in the whole project."""

    def __init__(self, project: Project) -> None:
        self.known = callees(project)
        self.names = {name for names in project.facts(Network).values() for name in names}

    def asks(self, name: str) -> bool:
        """Whether the function of this absolute name asks the network."""
        return self.known.find(name) in self.names


def asking(project: Project) -> Asking:
    """The set, made once a run."""
    made: Asking = project.once(Asking)
    return made


def network_call(source: Source, call: ast.Call) -> str:
    """ "http" for an HTTP call in the file, else the absolute name that may lead to one, or ""."""
    made = sent(source, call)
    if made is not None:
        return "http" if made.is_async else ""
    return target(source, call)
