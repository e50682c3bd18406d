"""Timeouts, intervals and lifetimes."""

from __future__ import annotations

import ast

from audits.config.peers import awaits_remote, command_of, fetches, is_probe, peer_of
from audits.config.places import Place, last_name
from audits.config.scopes import (
    is_numbered,
    is_only_default,
    is_set_elsewhere,
    is_upper,
    local_uses,
    scope_of,
)  # fmt: skip
from audits.config.uses import CLAMPED, COMPARED, COUNTED, DEFAULTING, PASSED, REJECTS, SLEPT
from audits.config.values import number
from audits.config.verdict import Verdict
from audits.config.words import Kind, is_millis, kind_of, listed, words
from busctl.audit import Confidence, Source

_USED = frozenset({PASSED, REJECTS, COMPARED, SLEPT, COUNTED})
_LEAST_SECONDS, _MOST_SECONDS = 1.0, 20 * 365 * 86_400.0
# Shorter waits than these are the process's own rhythm, not patience with somebody.
_LEAST_WAIT, _LEAST_FETCH, _LEAST_PROCESS = 5.0, 5.0, 60.0
_LEAST_SOCKET = 2.0  # less is how often an accepting loop looks whether it should stop
_LEAST_GIVEN_UP = 60.0  # so long one waits for a person or a peer
_ENDING = listed("close stop shutdown drain join terminate kill disconnect cleanup teardown")
_HEARD = listed("heartbeat keepalive ping")  # a peer reckons with it
_ASKS = listed("request send call rpc fetch")
_CLICKS = listed("click fill hover press tap check uncheck focus dblclick")
_WAITING = frozenset(["wait_for", "timeout", "fail_after", "move_on_after", "start_timeout"])
_WAIT_MODULES = frozenset({"asyncio", "anyio", "trio", "async_timeout", "curio"})


def judged(source: Source, place: Place) -> Verdict | None:
    """A verdict on a number under a name that says time, or passed where time is."""
    value = number(place.node)
    if value is None or not 0 < value < _MOST_SECONDS:
        return None
    match place.form:
        case "keyword":
            return _passed(source, place, value)
        case "argument":
            return _waited(source, place, value)
        case "assigned":
            return _assigned(source, place, value)
        case "entry":
            return _kept(source, place, value)
        case _:
            return None


def _passed(source: Source, place: Place, value: float) -> Verdict | None:
    call = place.holder
    if not isinstance(call, ast.Call) or last_name(call) in DEFAULTING - {"get"}:
        return None
    if kind_of(place.name) is not Kind.TIMEOUT or "default" in words(place.name):
        return None
    if value / (1000 if is_millis(place.name) else 1) < _LEAST_SECONDS:
        return None  # nobody waits so short for a peer: it is asked again
    if last_name(call) in _WAITING:
        return _waited_for(source, call, value)
    peer = peer_of(source, call)
    if is_probe(source, call):
        return None
    if peer == "remote":
        return Verdict(Kind.TIMEOUT, Confidence.HIGH, (f"{last_name(call)} waits for a peer",))
    return None if _ends(source, call) else _bounded(place, call, peer, value)


def _bounded(place: Place, call: ast.Call, peer: str, value: float) -> Verdict | None:
    """A wait for another program, for a person, or for somebody unknown."""
    command = command_of(call)
    if peer == "process" or command is not None:
        return _commanded(command, value)
    waits = words(last_name(call))[:1] == ("wait",) and isinstance(call.func, ast.Attribute)
    if waits and value >= _LEAST_GIVEN_UP:
        return Verdict(Kind.TIMEOUT, Confidence.MEDIUM, ("what is not there by then is given up",))
    if peer == "unknown" and "timeout" in words(place.name) and value >= _LEAST_WAIT:
        return Verdict(Kind.TIMEOUT, Confidence.MEDIUM, (f"passed to {last_name(call)}",))
    return None


def _commanded(command: ast.List | ast.Tuple | None, value: float) -> Verdict | None:
    needed = _LEAST_FETCH if command is not None and fetches(command) else _LEAST_PROCESS
    if value < needed or (command is not None and not fetches(command)):
        return None  # a local program with a line of its own: no data decides how long
    return Verdict(Kind.TIMEOUT, Confidence.MEDIUM, ("bounds another program's run",))


def _ends(source: Source, call: ast.Call) -> bool:
    """Waiting for something to end, or for a page to draw what is clicked next."""
    said = set(words(last_name(call)))
    if said & _ASKS:
        return False  # to be told to stop, a peer must answer
    function = source.function(call)
    around = set(words(function.name)) if function is not None else set()
    return bool(said & (_ENDING | _CLICKS)) or bool(around & _ENDING)


def _waited(source: Source, place: Place, value: float) -> Verdict | None:
    call = place.holder
    if not isinstance(call, ast.Call):
        return None
    callee = last_name(call)
    if callee == "settimeout" and place.position == 0 and value >= _LEAST_SOCKET:
        return Verdict(Kind.TIMEOUT, Confidence.HIGH, ("bounds every wait of a socket",))
    at = 1 if callee == "wait_for" else 0
    return _waited_for(source, call, value) if callee in _WAITING and place.position == at else None


def _waited_for(source: Source, call: ast.Call, value: float) -> Verdict | None:
    called = source.called(call)
    if called.partition(".")[0] not in _WAIT_MODULES or value < _LEAST_WAIT:
        return None
    if any(each.arg == "shield" for each in call.keywords):
        return None  # the end of a clean-up
    if last_name(call) == "wait_for" and not awaits_remote(source, call):
        return None
    return Verdict(Kind.TIMEOUT, Confidence.MEDIUM, (f"{called} gives up after it",))


def _assigned(source: Source, place: Place, value: float) -> Verdict | None:
    if kind_of(place.name) is not Kind.TIMEOUT:
        return None
    scope = scope_of(source, place)
    if scope is None or is_set_elsewhere(source, place, scope):
        return None
    if is_numbered(source, place) or "min" in words(place.name)[:-1]:
        return None
    if value / (1000 if is_millis(place.name) else 1) < _LEAST_SECONDS:
        return None
    told = bool(set(words(place.name)) & _HEARD)
    used = _USED if told or value >= _LEAST_WAIT else _USED - {SLEPT}
    if scope == "module":
        return Verdict(Kind.TIMEOUT, Confidence.MEDIUM, ("a module constant",), used)
    if scope == "class":
        evidence = ("a class constant",)
        return (
            Verdict(Kind.TIMEOUT, Confidence.MEDIUM, evidence, used)
            if is_upper(place) or place.name.startswith("_")
            else None
        )
    uses = local_uses(source, place)
    if is_only_default(uses) or not uses & (_USED - {SLEPT}) or CLAMPED in uses:
        return None
    return Verdict(Kind.TIMEOUT, Confidence.MEDIUM, (f"{place.name} is never set otherwise",))


def _kept(source: Source, place: Place, value: float) -> Verdict | None:
    """{"timeout": 30} handed to a call."""
    if kind_of(place.name) is not Kind.TIMEOUT or value < _LEAST_SECONDS:
        return None
    call = source.parent(place.holder)
    if isinstance(call, ast.keyword):
        call = source.parent(call)
    if not isinstance(call, ast.Call) or last_name(call) in DEFAULTING:
        return None
    if last_name(call) not in ("update", "dict") and peer_of(source, call) != "remote":
        return None
    return Verdict(Kind.TIMEOUT, Confidence.MEDIUM, ("an argument by its name",))
