"""Evidence from what is caught and what was tried: how grave a failure there is."""

from __future__ import annotations

import ast

from audits.silent.case import Case
from audits.silent.exceptions import Kind
from audits.silent.guarded import inside
from audits.silent.rewriting import mixed
from audits.silent.sinks import message_of
from audits.silent.words import FAILURE, KEEP, STORAGE, verb, words
from audits.silent.work import joined

_MUCH = 6


def everything(case: Case) -> str:
    return f"catches {case.caught}, expected or not" if case.kind is Kind.EVERYTHING else ""


def outside(case: Case) -> str:
    wanted = case.kind is Kind.OUTSIDE
    return f"{case.caught} is a named failure of something outside" if wanted else ""


def shape(case: Case) -> str:
    return f"{case.caught}: a value of another form" if case.kind is Kind.SHAPE else ""


def one_case(case: Case) -> str:
    return f"{case.caught} is one named case" if case.kind is Kind.SIGNAL else ""


def chosen(case: Case) -> str:
    """Several types were picked by hand: somebody looked at what can fail here."""
    by_hand = case.kind is Kind.OUTSIDE and len(case.one.types) > 1 and not mixed(case)
    return "several types were picked by hand" if by_hand else ""


def only_reads(case: Case) -> str:
    return "only makes sense of a value" if case.work.only_parses else ""


def keeps(case: Case) -> str:
    """Saves, sends, deletes or registers something, by the verbs that are called."""
    done = case.work
    kept = [name for name in (*done.writes, *done.others, *done.reads) if verb(name) in KEEP]
    return f"{joined(kept)}() keeps or sends something" if kept else ""


def about_error(case: Case) -> str:
    """What it sends is itself about an error, or a last word."""
    for call in case.work.sent:
        if FAILURE.search(message_of(call).replace("_", " ")):
            return "what it sends is about an error"
    return ""


def of_storage(case: Case) -> str:
    done = case.work
    found = [
        name for name in (*done.reads, *done.writes, *done.others)
        if words(name.rpartition(".")[0]) & STORAGE
    ]  # fmt: skip
    return f"{joined(found)}() works on a store or a client" if found else ""


def awaits(case: Case) -> str:
    return "it waits for others" if case.work.awaits else ""


def busy(case: Case) -> str:
    much = len(case.work.calls) >= _MUCH
    return f"{len(case.work.calls)} calls stand under one guard" if much else ""


def on_disk(case: Case) -> str:
    done = case.work
    return "a file of this machine" if done.outside and done.local else ""


def keeps_state(case: Case) -> str:
    """`self.state = …` under the guard: what others read stays as it was."""
    stored = any(
        isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        for node in inside(case.one.body)
    )
    return "it sets what others read" if stored else ""
