"""Functions that are there to judge, watch or sum up what they are given."""

from __future__ import annotations

import re

from audits.truncation.words import observes
from busctl.audit import Function, Source


def observer_of(source: Source, function: Function) -> str:
    """The function or class, by name, that makes this an observer; "" if none does."""
    if observes(function.name):
        return function.name
    around = source.class_of(function)
    if around is None or not observes(around.name) or not _GENERAL.search(function.name):
        return ""
    return around.name


_GENERAL = re.compile(
    r"^_?_?(?:run|process|handle|call|execute|on|ask|prompt|build_prompt|make_prompt|look|feed|"
    r"receive|consume|apply|perform|step|do|get_verdict|decide)(?:_|$)"
)
