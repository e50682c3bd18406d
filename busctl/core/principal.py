"""Who somebody is to the daemon, and what their token lets them do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from busctl.core.errors import AccessDenied, ConfigurationError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{0,62}[a-z0-9])?")


class Scope(StrEnum):
    """What a token is good for. ADMIN includes the others, and everybody's messages."""

    CALL = "call"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of the messages that its calls make. `name` is one that `checked_name` takes,
    `token_id` says by which token it was known, None for the daemon's own."""

    name: str
    scopes: frozenset[Scope]
    token_id: str | None = None

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def require(self, scope: Scope) -> None:
        """Raises AccessDenied, which names the scope that is missing."""
        if not self.may(scope):
            raise AccessDenied(
                f"The token of {self.name} lacks the scope {scope.value}.",
                remedy="Use a token that has it; `busctl token create --scope` makes one.",
            )

    @property
    def reads_as(self) -> str | None:
        """Whose messages it may read: those of that owner, None for everybody's."""
        return None if self.may(Scope.ADMIN) else self.name


OPERATOR = Principal("operator", frozenset(Scope))
"""Whoever shows the daemon's own token; the command line's messages have the same owner."""

NOBODY = Principal("nobody", frozenset())
"""Whoever has not said hello yet."""


def checked_name(text: str) -> str:
    """The same name. Raises ConfigurationError for one that another could be mistaken for: only
    lower-case ASCII is taken, so that no two names look alike and none needs normalising."""
    if not _NAME.fullmatch(text):
        raise ConfigurationError(
            f"{text[:80]!a} is no name for a principal.",
            remedy="Use 1 to 64 of a-z, 0-9 and . _ @ -, beginning and ending with a letter or"
            " digit.",
        )
    return text


def scopes_text(scopes: frozenset[Scope]) -> str:
    """As `parse_scopes` reads them, in the order of their definition."""
    return ",".join(scope.value for scope in Scope if scope in scopes)


def parse_scopes(text: str) -> frozenset[Scope]:
    """A comma-separated list of scopes. Raises ConfigurationError."""
    names = [name.strip() for name in text.split(",")]
    known = {scope.value: scope for scope in Scope}
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"{name[:80]!a} is no scope.", remedy=f"Known are {', '.join(known)}."
            )
    return frozenset(known[name] for name in names)
