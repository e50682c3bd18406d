"""Sizes, counts and numbers of attempts that decide what becomes of somebody's data."""

from __future__ import annotations

import ast
import re
from math import log2

from audits.config.peers import peer_of
from audits.config.places import Place, last_name
from audits.config.scopes import (
    is_only_default,
    is_set_elsewhere,
    is_upper,
    local_uses,
    scope_of,
    target_name,
)  # fmt: skip
from audits.config.uses import (
    COMPARED,
    COUNTED,
    DEFAULTING,
    ENFORCED,
    ENFORCING,
    FRAMED,
    PASSED,
    REJECTS,
    refuses,
)
from audits.config.values import number
from audits.config.verdict import Verdict
from audits.config.words import Kind, is_retry, kind_of, listed, words
from busctl.audit import Confidence, Source

_RETRIED = frozenset({COUNTED, COMPARED, ENFORCED, REJECTS, PASSED})
_REFUSED = frozenset({ENFORCED, REJECTS})
_SERVED = listed("maxlen pool_size max_overflow maxconn max_pool_size rate_limit")
_ANSWERED = frozenset(
    {"max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens"}
)
_ASKING = listed("create complete completion chat generate invoke stream model message messages")
# What a picture has room for.
_DRAWN = re.compile(
    r"(?:^|/)(?:\w+_)?(?:visuali[sz]ations?|render(?:er|ers|ing)?|plot(?:s|ting)?|charts?|tui"
    r"|widgets?)(?:_\w+)?(?:/|\.py$)"
)
_LOGGED = frozenset({"handler", "handlers", "log", "logging"})  # how a log is rotated
_PING = 16
_LEAST_BYTES, _LEAST_SIZE, _LEAST_LEFT_OUT = 1024.0, 10_000.0, 1_000_000.0
_DROPPED = listed("queue upload attachment payload body inject")
_BYTE = 255
_SIZED = frozenset(["len", "length", "size", "bytes", "chars", "characters"])


def judged(source: Source, place: Place) -> Verdict | None:
    """A verdict on a number that bounds something."""
    value = number(place.node)
    if value is None or value <= 0:
        return None
    match place.form:
        case "keyword":
            return _passed(source, place, value)
        case "argument":
            return _attempts(place, value)
        case "assigned":
            return _assigned(source, place, value)
        case "entry":
            return _kept(source, place)
        case "compared":
            return _compared(source, place, value)
        case _:
            return None


def _attempts(place: Place, value: float) -> Verdict | None:
    """`@retry(stop=stop_after_attempt(3))`"""
    if last_name(place.holder) != "stop_after_attempt" or value < 2:
        return None
    return Verdict(Kind.LIMIT, Confidence.MEDIUM, ("attempts before it gives up",))


def _passed(source: Source, place: Place, value: float) -> Verdict | None:
    call = place.holder
    if not isinstance(call, ast.Call) or last_name(call) in DEFAULTING:
        return None
    if (value < 2 and is_retry(place.name)) or _LOGGED & set(words(last_name(call))):
        return None
    peer = peer_of(source, call)
    if place.name == "max_size" and last_name(call) in FRAMED:
        return Verdict(Kind.LIMIT, Confidence.HIGH, ("larger messages close the connection",))
    if place.name in _ANSWERED and not (value > _PING and _asks_model(call)):
        return None
    if (
        (place.name in ENFORCING or is_retry(place.name))
        and peer != "local"
        and last_name(call) not in ("split", "rsplit")
    ):
        sure = Confidence.HIGH if peer == "remote" else Confidence.MEDIUM
        return Verdict(Kind.LIMIT, sure, (f"{place.name} of {last_name(call)}",))
    if place.name in _SERVED and peer == "remote":
        return Verdict(Kind.LIMIT, Confidence.MEDIUM, (f"{place.name} of {last_name(call)}",))
    if value >= _LEAST_SIZE and peer != "local" and _bounds_data(place.name):
        return Verdict(Kind.LIMIT, Confidence.MEDIUM, (f"{place.name} of {last_name(call)}",))
    return None


def _bounds_data(name: str) -> bool:
    """`max_result_chars=100_000`: what is beyond it is cut or refused by who is called."""
    said = set(words(name))
    return kind_of(name) is Kind.LIMIT and "max" in said and bool(said & _SIZED)


def _asks_model(call: ast.Call) -> bool:
    given = {each.arg for each in call.keywords}
    return bool(given & {"model", "messages", "prompt"} or set(words(last_name(call))) & _ASKING)


def _assigned(source: Source, place: Place, value: float) -> Verdict | None:
    if kind_of(place.name) is not Kind.LIMIT or _DRAWN.search(source.path):
        return None
    scope = scope_of(source, place)
    if scope is None or is_set_elsewhere(source, place, scope):
        return None
    said = set(words(place.name))
    least = _LEAST_BYTES if "bytes" in said and is_upper(place) else _LEAST_SIZE
    if value < least and said & _SIZED and "mb" not in said:
        return None
    if value > _BYTE and (value + 1).is_integer() and log2(value + 1).is_integer():
        return None  # 65535: what a field holds
    wanted = _wanted(place)
    if scope in ("module", "class"):
        if scope == "class" and not is_upper(place):
            return None
        return Verdict(Kind.LIMIT, Confidence.MEDIUM, (f"a {scope} constant",), wanted)
    uses = local_uses(source, place)
    if is_only_default(uses) or not uses & wanted:
        return None
    if value < 2 and is_retry(place.name):
        return None  # a counter that begins
    return Verdict(Kind.LIMIT, Confidence.MEDIUM, (f"{place.name} is never set otherwise",))


def _wanted(place: Place) -> frozenset[str]:
    """The uses by which somebody's data is lost."""
    if is_retry(place.name):
        return _RETRIED
    if is_upper(place) and set(words(place.name)) & _DROPPED:
        return _REFUSED | {COMPARED}  # what is beyond it is dropped or left out, not refused
    return _REFUSED


def _kept(source: Source, place: Place) -> Verdict | None:
    """{"max_tokens": 1000} in a request's body, {"max_attempts": 5} in a client's options."""
    if is_retry(place.name) and place.name in ENFORCING and (number(place.node) or 0) >= 2:
        return _tried(source, place)
    if place.name not in _ANSWERED or (number(place.node) or 0) <= _PING:
        return None
    if source.function(place.holder) is None or not isinstance(place.holder, ast.Dict):
        return None
    keys = {each.value for each in place.holder.keys if isinstance(each, ast.Constant)}
    if not keys & {"model", "messages", "prompt", "input"}:
        return None
    return Verdict(Kind.LIMIT, Confidence.MEDIUM, ("cuts the model's answer",))


def _tried(source: Source, place: Place) -> Verdict | None:
    """`Config(retries={"max_attempts": 5})`, or such a dict by a name."""
    around = source.parent(place.holder)
    named = target_name(around)
    if source.function(place.holder) is None or not {"retry", "retries"} & set(words(named)):
        return None
    return Verdict(Kind.LIMIT, Confidence.MEDIUM, ("attempts before it gives up",))


def _compared(source: Source, place: Place, value: float) -> Verdict | None:
    """`if len(body) > 10_000_000: raise …`"""
    said = set(words(place.name))
    if value < _LEAST_SIZE or not said & {"len", "size", "length", "bytes"}:
        return None
    condition = source.parent(place.holder)
    if not isinstance(condition, ast.If):
        return None
    if _is_beside(place, ast.Gt, ast.GtE, ast.Lt, ast.LtE) and refuses(condition.body):
        return Verdict(Kind.LIMIT, Confidence.MEDIUM, ("what is larger is refused",))
    if _is_beside(place, ast.Lt, ast.LtE, ast.Gt, ast.GtE) and _leaves_out(condition, value):
        return Verdict(Kind.LIMIT, Confidence.MEDIUM, ("what is larger is left out",))
    return None


def _leaves_out(condition: ast.If, value: float) -> bool:
    """`if size < 50 * 1024 * 1024: read it`, and nothing else: no sizes told in KB and MB."""
    ends = any(isinstance(each, (ast.Return, ast.Raise)) for each in condition.body)
    return value >= _LEAST_LEFT_OUT and not condition.orelse and not ends


def _is_beside(place: Place, *ops: type[ast.cmpop]) -> bool:
    """Whether the literal stands right of one of the first two operators, or left of the rest."""
    compare = place.holder
    if not isinstance(compare, ast.Compare) or len(compare.ops) != 1:
        return False
    return isinstance(compare.ops[0], ops[2:] if compare.left is place.node else ops[:2])
