"""A PostgreSQL connection string as text: whether it can be one, and how to show it."""

from __future__ import annotations

import re
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

MASK = "***"
SCHEMES = ("postgresql", "postgres")

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_ENDS_IN_PORT = re.compile(r":\d*$")
_HOST_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\[\]:]*)(?::\d{0,5})?")
_MASKED_KEYS = r"(?:password|sslpassword|oauth_client_secret)"
_URI_SECRET = re.compile(rf"(?i)([?&]{_MASKED_KEYS}=)[^&#]*")
_NOT_ENCODED = re.compile(r"\s|%(?![0-9A-Fa-f]{2})|%00")
_PAIR = r"(?:'(?:\\.|[^'\\])*'|(?:\\.|[^\s'\\])*)"
_PAIRS = re.compile(rf"(?s)\s*(?:[a-z_]+\s*=\s*{_PAIR}(?:\s+|$))+")
_EACH_PAIR = re.compile(rf"(?s)([a-z_]+)\s*=\s*({_PAIR})")
_PAIR_SECRET = re.compile(rf"(?s)\b({_MASKED_KEYS}\s*=\s*){_PAIR}")


def dsn_fault(dsn: str) -> str | None:
    """Why `dsn` cannot be a connection string, without quoting any of it; None if it can."""
    if "[YOUR-PASSWORD]" in dsn:
        return "still holds the placeholder [YOUR-PASSWORD]; put the password in its place"
    if "://" not in dsn:
        if _PAIRS.fullmatch(dsn):
            return _value_fault(_EACH_PAIR.findall(dsn))
        return "is neither postgresql://user:password@host:port/database nor key=value pairs"
    if dsn.partition("://")[0] not in SCHEMES:
        return "does not start with postgresql://"
    if not _is_uri(dsn):
        return (
            "cannot be read; percent-encode / ? # [ ] @ : % and spaces in the password "
            "(/ is %2F, @ is %40, % is %25)"
        )
    parts = urlsplit(dsn)
    hosts = parts.netloc.rpartition("@")[2].split(",")
    ports = [("port", host.rpartition(":")[2]) for host in hosts if _ENDS_IN_PORT.search(host)]
    return _value_fault([*ports, *parse_qsl(parts.query)])


def _value_fault(pairs: list[tuple[str, str]]) -> str | None:
    """What libpq would find only when it connects, as if the server were away."""
    for name, value in pairs:
        held = value.strip("'")
        if name == "port" and not all(_is_port(one) for one in held.split(",")):
            return "names a port that is not a number from 1 to 65535"
        if name == "sslmode" and held not in SSL_MODES:
            return f"names an sslmode that is none of {', '.join(SSL_MODES)}"
    return None


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535)


def _is_uri(dsn: str) -> bool:
    """Whether user, hosts and the rest are where they seem to be, so that masking is sure."""
    try:
        parts = urlsplit(dsn)
    except ValueError:  # unbalanced brackets; its text quotes part of the string
        return False
    # An @ or # behind the hosts is the end of a password that holds a bare / ? or #.
    rest = dsn.partition("://")[2][len(parts.netloc) :]
    # libpq ends the password at the first @ and would name the remainder as a host it cannot find.
    hosts = parts.netloc.partition("@")[2] if "@" in parts.netloc else parts.netloc
    return (
        not set("@#") & set(rest)
        and not _NOT_ENCODED.search(dsn.strip())
        and "@" not in hosts
        and all(_HOST_PORT.fullmatch(host) for host in hosts.split(","))
    )


def mask_dsn(dsn: str) -> str:
    """`dsn` with every password in it as ***; only *** if it cannot be read."""
    if dsn_fault(dsn) is not None:
        return MASK
    if "://" not in dsn:
        return _PAIR_SECRET.sub(rf"\g<1>{MASK}", dsn)
    parts = urlsplit(dsn)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}{colon}{MASK if colon else ''}{at}{host}"
    query = _URI_SECRET.sub(rf"\g<1>{MASK}", f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{netloc}{parts.path}{query}"


_OF_STORE = ("user", "host", "hostaddr", "port", "dbname", "service")
_PAIR_OF_STORE = re.compile(rf"(?s)\b({'|'.join(_OF_STORE)})\s*=\s*({_PAIR})")


def store_key(dsn: str) -> str:
    """A short name for the database that `dsn` leads to: the same for another password or TLS
    mode, another for another user, host, port or database. Nothing can be read from it."""
    if "://" in dsn:
        parts = urlsplit(dsn)
        user, _, hosts = parts.netloc.rpartition("@")
        query = [(name, value) for name, value in parse_qsl(parts.query) if name in _OF_STORE]
        named = [user.partition(":")[0], hosts.lower(), parts.path, *map("=".join, sorted(query))]
    else:
        named = sorted("=".join(pair) for pair in _PAIR_OF_STORE.findall(dsn))
    return sha256("\n".join(named).encode()).hexdigest()[:12]
