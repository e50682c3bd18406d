"""Model names and credentials."""

from __future__ import annotations

import ast
import re

from audits.config.places import Place, last_name
from audits.config.scopes import is_only_default, is_set_elsewhere, is_upper, local_uses, scope_of
from audits.config.uses import DEFAULTING, PASSED
from audits.config.values import has_key_shape, is_authorization, is_model, is_secret_value
from audits.config.verdict import Verdict
from audits.config.words import Kind, kind_of, words
from busctl.audit import Confidence, Source

_IN_URL = re.compile(r"^[a-z][a-z0-9+]*://[^/:@\s{]+:([^@/\s{]+)@[^/\s]+")
_MODEL_KEYS = frozenset(
    {"model", "model_name", "model_id", "engine", "deployment_id", "embedding_model"}
)
_USED = frozenset({PASSED})


def judged_model(source: Source, place: Place, text: str) -> Verdict | None:
    """A verdict on a model's name: one that is asked for, not one that is listed or matched."""
    if not is_model(text):
        return None
    match place.form:
        case "keyword":
            call = place.holder
            callee = last_name(call)
            if place.name not in _MODEL_KEYS or callee in DEFAULTING or _counts(callee):
                return None
            return Verdict(Kind.MODEL, Confidence.HIGH, (f"what {last_name(call)} asks for",))
        case "entry":
            return _requested(source, place)
        case "assigned":
            return _assigned(source, place)
        case _:
            return None


def _counts(callee: str) -> bool:
    """`token_counter(model=…)` looks a table up: nobody is asked."""
    return bool(
        {"error", "failure", "token", "tokens", "tokenizer", "encoding", "cost", "info"}
        & set(words(callee))
    )


def _requested(source: Source, place: Place) -> Verdict | None:
    if place.name not in _MODEL_KEYS or not isinstance(place.holder, ast.Dict):
        return None
    keys = {each.value for each in place.holder.keys if isinstance(each, ast.Constant)}
    asks = keys & {"messages", "prompt", "input", "stream", "temperature", "max_tokens", "contents"}
    if source.function(place.holder) is None or not asks:
        return None
    return Verdict(Kind.MODEL, Confidence.HIGH, ("part of a request's body",))


def _assigned(source: Source, place: Place) -> Verdict | None:
    if "model" not in words(place.name) or "default" in words(place.name):
        return None
    scope = scope_of(source, place)
    if scope is None or is_set_elsewhere(source, place, scope):
        return None
    if scope == "module" or (scope == "class" and is_upper(place)):
        return Verdict(Kind.MODEL, Confidence.MEDIUM, (f"a {scope} constant",), _USED)
    uses = local_uses(source, place)
    if scope == "class" or is_only_default(uses) or not uses & _USED:
        return None
    return Verdict(Kind.MODEL, Confidence.MEDIUM, (f"{place.name} is never set otherwise",))


def judged_credential(source: Source, place: Place, text: str) -> Verdict | None:
    """A verdict on a secret in the source: by its own shape, or by its name and its look."""
    if place.form in ("compared", "returned"):
        return None
    if has_key_shape(text):
        return Verdict(Kind.CREDENTIAL, Confidence.HIGH, ("the shape of a key",))
    if is_authorization(text):
        return Verdict(Kind.CREDENTIAL, Confidence.HIGH, ("what an Authorization header holds",))
    found = _IN_URL.match(text)
    if found is not None:
        known = found.group(1).lower() in ("password", "pass", "passwd", "secret", "***", "pw")
        return None if known else Verdict(Kind.CREDENTIAL, Confidence.MEDIUM, ("in an address",))
    if kind_of(place.name) is not Kind.CREDENTIAL or not is_secret_value(text):
        return None
    if isinstance(place.holder, ast.Call) and last_name(place.holder) in DEFAULTING - {"get"}:
        return None
    return Verdict(Kind.CREDENTIAL, Confidence.MEDIUM, (f"the value of {place.name}",))
