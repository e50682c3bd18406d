"""A provider as it is used here: its profile, the address in force, and the key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from busctl.core.configuration.values import check_base
from busctl.core.errors import ConfigurationError
from busctl.core.providers.profile import Profile

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
Lookup = Callable[[str], str | None]
"""The value of a variable, None or empty when it is not set."""


@dataclass(frozen=True, slots=True)
class Account:
    """`tool` is the name its chat tool has here; `key` is None while none of the profile's key
    variables is set, else `key_variable` names the one that is."""

    profile: Profile
    base: str
    tool: str
    key: SecretStr | None = None
    key_variable: str | None = None

    @property
    def usable(self) -> bool:
        return self.key is not None

    @property
    def in_clear(self) -> bool:
        """Whether the key would cross a network unencrypted."""
        parts = urlsplit(self.base)
        return parts.scheme == "http" and parts.hostname not in LOCAL

    @property
    def variables(self) -> str:
        """The variables that may hold the key, in words."""
        return " or ".join(self.profile.key_variables)


def accounts_of(profiles: Iterable[Profile], lookup: Lookup) -> list[Account]:
    """One account a profile, in their order. Of several usable ones whose tools have one name the
    first keeps it; the others' are called after the provider. Raises ConfigurationError."""
    taken: set[str] = set()
    found = []
    for profile in profiles:
        variable, key = _first(profile.key_variables, lookup)
        tool = profile.tool
        if key is not None:
            tool = f"{profile.name}_chat" if tool in taken else tool
            if tool in taken:
                raise ConfigurationError(f"Two providers offer a tool {tool!r}.")
            taken.add(tool)
        secret = None if key is None else SecretStr(key)
        found.append(Account(profile, _base(profile, lookup), tool, secret, variable))
    return found


def _base(profile: Profile, lookup: Lookup) -> str:
    variable, given = _first(profile.base_variables, lookup)
    if given is None:
        return profile.base
    try:
        return check_base(given)
    except ValueError as error:
        raise ConfigurationError(f"{variable} {error}.") from error


def _first(names: Iterable[str], lookup: Lookup) -> tuple[str | None, str | None]:
    for name in names:
        value = (lookup(name) or "").strip()
        if value:
            return name, value
    return None, None
