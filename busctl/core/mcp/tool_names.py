"""The names under which the tools and prompts of several servers are offered together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

MAX_CHARS = 128
_FOREIGN_SCHEME = re.compile(r"[^a-z0-9.-]")
_FOREIGN = re.compile(r"[^A-Za-z0-9_.-]")


def offered_names(
    own: Iterable[str], servers: Mapping[str, Iterable[str]]
) -> dict[str, tuple[str, str]]:
    """Server and name there by the name offered. A name that several have is offered as
    `server_name` by each server; the daemon's own keep theirs.

    Which name a tool gets depends on what is there, not on the order in which servers came up.
    """
    taken = set(own)
    count = Counter(name for names in servers.values() for name in set(names))
    made: dict[str, tuple[str, str]] = {}
    clashing = []
    for server, names in servers.items():
        for name in dict.fromkeys(names):
            if count[name] > 1 or name in taken:
                clashing.append((server, name))
            else:
                made[name] = (server, name)
    for server, name in clashing:
        made[free_name(prefixed(server, name), taken | made.keys())] = (server, name)
    return made


def offered_uris(servers: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, str]]:
    """Server and URI there by the URI offered, of resources or of templates of them. One that
    several have is offered as `server+uri` by each."""
    count = Counter(uri for uris in servers.values() for uri in set(uris))
    made: dict[str, tuple[str, str]] = {}
    for server, uris in servers.items():
        for uri in dict.fromkeys(uris):
            offered, number = uri if count[uri] == 1 else f"{_scheme(server)}+{uri}", 2
            while offered in made:  # names that are told apart by other letters only
                offered, number = f"{_scheme(server)}{number}+{uri}", number + 1
            made[offered] = (server, uri)
    return made


def _scheme(server: str) -> str:
    """The server's name in the letters that a URI may begin with."""
    plain = _FOREIGN_SCHEME.sub("-", server.lower())
    return plain if plain[:1].isalpha() else f"s{plain}"


def prefixed(server: str, name: str) -> str:
    """`server_name`, in letters that every client takes."""
    return f"{_FOREIGN.sub('_', server)}_{name}"[:MAX_CHARS]


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number where it is taken."""
    chosen, number = name, 2
    while chosen in taken:
        chosen = f"{name[: MAX_CHARS - 4]}_{number}"
        number += 1
    return chosen
