"""What a name says about the value it holds: a timeout, a limit, an address, a model …"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache


class Kind(StrEnum):
    """What a literal is; one rule reports each."""

    URL = "url"
    ADDRESS = "address"
    TIMEOUT = "timeout"
    LIMIT = "limit"
    PATH = "path"
    MODEL = "model"
    CREDENTIAL = "credential"


def listed(text: str) -> frozenset[str]:
    """The words of a text: long lists of names read better as prose."""
    return frozenset(text.split())


_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TIMES = listed(
    "timeout timeouts ttl interval delay expiry expires expire expiration backoff cooldown "
    "deadline keepalive lifetime heartbeat period"
)
_UNITS = frozenset(["seconds", "secs", "minutes", "hours"])
# Shown, drawn, sampled or polled within the process: nobody operates these.
_NOT_TIMES = listed(
    "poll polling refresh animation blink debounce spinner display render redraw tick frame ui "
    "hover scroll log logging print progress test default connections count jitter warn warning "
    "monitor stats statistics jwt flush shutdown buffer slack skew leeway margin safety grace idle "
    "drain factor multiplier"
)
# TIMEOUT_ENV names a variable, USER_NAME_TIMEOUT is a time.
_NAMING = frozenset(["env", "key", "name", "format", "field", "param", "header"])
_RETRIES = frozenset(["retry", "retries", "attempt", "attempts", "tries"])
# "Retry after so long", "retry on these": no number of attempts.
_TOLD = frozenset(["after", "secs", "seconds", "ms", "codes", "status", "on"])
_BOUNDS = listed("max maximum limit limits quota capacity cap")
_COUNTED = listed(
    "size bytes length len kb mb gb kib mib gib tokens chars characters messages events items "
    "requests connections clients sessions users files file payload body upload uploads message "
    "download content rows records pending queue results output input rate concurrent"
)
# Bounds of an algorithm, of memory that is only a cache, of what is drawn.
_NOT_BOUNDS = listed(
    "chunk buffer buf cache cached lru width height column columns col depth preview label "
    "title display line lines indent window frame worker workers thread threads batch page scan "
    "excerpt snippet name names key keys header digits precision score iterations dimension "
    "dimensions dim recursion nesting error errors log test value enum code status id index "
    "pixel pixels redirects env level levels ratio delta percent growth bin bins bucket buckets "
    "skew clock"
)
_ADDRESSES = frozenset(["port", "host", "hostname"])
# Agreed with somebody beforehand: the address that an authorization server sends back to.
_AGREED = frozenset(["callback", "redirect", "oauth"])
_URLS = frozenset(["url", "uri", "endpoint"])
_PATHS = listed(
    "path dir directory folder file filename root home spool storage workspace socket sock"
)
_MODELS = frozenset({"model"})
_SECRETS = listed(
    "password passwd pwd secret token apikey api_key secret_key access_key auth_key private_key "
    "access_token auth_token client_secret signing_key encryption_key"
)
_NOT_SECRETS = listed(
    "env name field header param type url uri path file prefix suffix regex pattern var "
    "variable id label placeholder help scheme endpoint count limit max min ttl length format"
)


@cache
def words(name: str) -> tuple[str, ...]:
    """`MAX_fileSize` → ("max", "file", "size")."""
    return tuple(part.lower() for part in _PARTS.findall(name))


@cache
def kind_of(name: str) -> Kind | None:
    """What a variable, parameter or key of this name holds; None when the name does not say."""
    parts = words(name)
    said = frozenset(parts)
    if _secret(parts, said):
        return Kind.CREDENTIAL
    lasts = said >= {"max", "wait"} or (said & {"limit", "lockout"} and said & _UNITS)
    if (said & _TIMES or lasts) and not (said & _NOT_TIMES or parts[-1] in _NAMING):
        return Kind.TIMEOUT
    if _is_limit(parts, said):
        return Kind.LIMIT
    return _by_last(parts, said)


def _secret(parts: tuple[str, ...], said: frozenset[str]) -> bool:
    tail = "_".join(parts[-2:])
    return bool(parts and (parts[-1] in _SECRETS or tail in _SECRETS) and not said & _NOT_SECRETS)


def _is_limit(parts: tuple[str, ...], said: frozenset[str]) -> bool:
    if said & _NOT_BOUNDS or parts[:1] == ("min",):
        return False
    return bool(said & _RETRIES and not said & _TOLD) or bool(
        said & _BOUNDS and (said & _COUNTED or len(said) > 1)
    )


def _by_last(parts: tuple[str, ...], said: frozenset[str]) -> Kind | None:
    last = parts[-1] if parts else ""
    if said & _AGREED:
        return None
    if last in _ADDRESSES or said >= {"bind", "address"} or said >= {"listen", "address"}:
        return Kind.ADDRESS
    if (
        last in _URLS
        or parts == ("api",)
        or "_".join(parts[-2:]) in ("api_base", "base_url", "api_url")
    ):
        return Kind.URL
    if last in _MODELS or parts[-2:] == ("model", "name") or parts[-2:] == ("model", "id"):
        return Kind.MODEL
    return Kind.PATH if last in _PATHS else None


@cache
def is_constant(name: str) -> bool:
    """Whether a name is spelt as constants are: TIMEOUT, _MAX_SIZE."""
    return name.isupper() and len(name) > 1


@cache
def is_retry(name: str) -> bool:
    """Whether a name counts attempts."""
    said = frozenset(words(name))
    return bool(said & _RETRIES) and not said & (_TIMES | _TOLD)


@cache
def is_time(name: str) -> bool:
    """Whether a name says how long."""
    return bool(frozenset(words(name)) & (_TIMES | _UNITS))


@cache
def is_millis(name: str) -> bool:
    """Whether a name says that its value is in milliseconds."""
    return "ms" in words(name) or "millis" in words(name) or "milliseconds" in words(name)
