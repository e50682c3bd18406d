"""The names under which the tools and prompts of several servers are offered together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

MAX_CHARS = 128
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
