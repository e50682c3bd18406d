"""Which of the family's faults a handler is: exactly one, the gravest that fits."""

from __future__ import annotations

import ast

from audits.silent.case import Case
from audits.silent.exceptions import Kind
from audits.silent.origin import of_environment
from audits.silent.words import ACCESS, CONFIG, LIMIT, group, words
from audits.silent.work import SAFE
from busctl.audit import walk

DROPS_ALL = "SF001"
DROPS_TYPED = "SF002"
DEFAULT = "SF003"
QUIET_LOG = "SF004"
FAILS_OPEN = "SF005"
IGNORES_SETTING = "SF006"
SKIPS = "SF007"
GIVES_UP = "SF008"
SUPPRESSES = "SF009"
LOSES_WRITE = "SF010"
EATS_CANCEL = "SF011"

_GUARDS = group(
    "check checks verify validate valid authorize authorized allow allowed permit permitted "
    "enforce require ensure guard can has is authenticate within under acquire may admit"
)
_SECURES = ACCESS | LIMIT | group(
    "valid verify validate safe trusted secure signature budget permit admit token owner"
) - {"password", "rate"}  # fmt: skip
_PERMITS = group("allow allowed permit permitted authorize authorized authenticated admit")
_DENIES = group(
    "expired blocked unsafe revoked banned limited exceeded exceeds over locked denied forbidden "
    "malicious blacklisted throttled tampered compromised suspended unauthorized"
)


def category(case: Case) -> str:
    """The code of the rule that reports it."""
    if eats_cancellation(case):
        return EATS_CANCEL
    if fails_open(case):
        return FAILS_OPEN
    if case.one.suppressed:
        return SUPPRESSES
    if ignores_setting(case):
        return IGNORES_SETTING
    if case.work.writes:
        return LOSES_WRITE
    if case.debugged:
        return QUIET_LOG
    return _by_effect(case)


def _by_effect(case: Case) -> str:
    effect = case.reaction.effect
    if retries(case):
        return GIVES_UP
    if case.setting.in_loop is not None and effect in ("continue", "pass"):
        return SKIPS
    if effect in ("return", "assign"):
        return DEFAULT
    return DROPS_ALL if case.kind is Kind.EVERYTHING else DROPS_TYPED


def retries(case: Case) -> bool:
    """A loop over attempts whose handler waits or goes round again, and whose body leaves it."""
    loop = case.setting.in_loop
    if loop is None or case.reaction.effect in ("return", "break"):
        return False
    leaves = any(
        isinstance(node, (ast.Return, ast.Break))
        for statement in [*case.one.body, *getattr(case.one.statement, "orelse", ())]
        for node in walk(statement)
    )
    return leaves and _counts_attempts(loop)


def _counts_attempts(loop: ast.stmt) -> bool:
    if isinstance(loop, (ast.For, ast.AsyncFor)):
        said = words(ast.unparse(loop.target))
        called = loop.iter.func if isinstance(loop.iter, ast.Call) else None
        ranged = isinstance(called, ast.Name) and called.id == "range"
        return ranged or bool(said & group("attempt attempts retry try tries"))
    if isinstance(loop, ast.While):
        return any(
            words(node.id) & group("attempt attempts retry retries tries remaining")
            for node in walk(loop.test) if isinstance(node, ast.Name)
        )  # fmt: skip
    return False


def eats_cancellation(case: Case) -> bool:
    """In async code: everything caught around an await, or a cancellation caught in a loop that
    goes on."""
    if not case.setting.is_async or not case.work.awaits or case.reaction.seen:
        return False
    short = {each.rpartition(".")[2] for each in case.one.types}
    everything = not case.one.types or "BaseException" in short
    if not everything and "CancelledError" not in short:
        return False
    if _awaits_cancelled(case) or case.setting.ends or case.setting.in_finally:
        return False
    if everything:
        return not case.work.only_cleans
    endless = isinstance(case.setting.in_loop, ast.While)
    return endless and case.reaction.effect not in ("return", "break")


def _awaits_cancelled(case: Case) -> bool:
    """`task.cancel()` stands before it: the cancellation that comes out is its own."""
    function = case.one.function
    return function is not None and any(
        isinstance(node, ast.Attribute) and node.attr in ("cancel", "cancel_scope", "cancelling")
        for node in walk(function)
    )


def fails_open(case: Case) -> bool:
    """A check of permission, validity or a limit that lets through when it could not be made."""
    said = case.setting.said
    if case.kind in (Kind.IMPORT, Kind.ENDING) or case.reaction.seen:
        return False
    if denied_before(case):
        return True
    if said & _DENIES and said & _GUARDS:
        return _gives(case, False) and case.kind >= Kind.OUTSIDE
    if "guard" in said and case.reaction.effect == "continue":
        return case.kind is Kind.EVERYTHING
    if not said & _PERMITS and not (said & _GUARDS and said & _SECURES):
        return False
    return _gives(case, True) or _denial_falls_through(case) or _skips_the_check(case)


_ASKS = group(
    "check verify validate ensure require authorize enforce blocked allowed guard denied "
    "permission permitted forbidden authenticate trusted"
)
_REFUSES = (ast.Return, ast.Raise, ast.Continue)


def denied_before(case: Case) -> bool:
    """`except Denied: return` stands above; this later handler goes on after the same check."""
    if case.kind is not Kind.EVERYTHING or case.reaction.effect != "pass" or not case.after:
        return False
    earlier: list[ast.ExceptHandler] = []
    for handler in getattr(case.one.statement, "handlers", ()):
        if handler is case.one.node:
            break
        earlier.append(handler)
    refuses = any(isinstance(each.body[-1], _REFUSES) for each in earlier)
    return refuses and bool(case.work.calls) and all(
        words(name) & _ASKS or name.rpartition(".")[2] in SAFE for name in case.work.calls
    )  # fmt: skip


def _gives(case: Case, value: bool) -> bool:
    given = case.reaction.value
    return (
        case.reaction.effect == "return"
        and isinstance(given, ast.Constant) and given.value is value
    )  # fmt: skip


def _denial_falls_through(case: Case) -> bool:
    """The body denies by raising, and the handler goes on as if it had not."""
    if not case.work.raises or case.kind is not Kind.EVERYTHING:
        return False
    given = case.reaction.value
    nothing = given is None or (isinstance(given, ast.Constant) and given.value in (None, True))
    return nothing and case.reaction.effect in ("pass", "return") and not _denied_by_none(case)


def _skips_the_check(case: Case) -> bool:
    """A function that denies by raising returns before it has looked."""
    function, given = case.one.function, case.reaction.value
    nothing = given is None or (isinstance(given, ast.Constant) and given.value is None)
    if function is None or case.reaction.effect != "return" or not nothing:
        return False
    later = {node for statement in case.after for node in walk(statement)}
    return case.kind is Kind.EVERYTHING and any(isinstance(node, ast.Raise) for node in later)


def _denied_by_none(case: Case) -> bool:
    """A function that answers a value and None where it may not."""
    return case.setting.optional


def ignores_setting(case: Case) -> bool:
    """What an operator or user set is malformed, and a default takes its place."""
    if not case.asked or case.work.outside:
        return False
    return (
        reads_environment(case) or bool(words(case.asked) & CONFIG)
        or case.stake == "configuration"
    )  # fmt: skip


def reads_environment(case: Case) -> bool:
    """The value is an environment variable, or parsed where the module is loaded."""
    return bool(case.asked) and (case.one.function is None or of_environment(case.asked))
