"""Profiles of providers as files: those that come with busctl, and the user's."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from pydantic import SecretStr

from busctl.core.errors import ConfigurationError
from busctl.core.provider import Profile, by_name, profile_of
from busctl.core.provider_account import Account, accounts_of
from busctl.core.settings import Settings, known_names

SHIPPED = ("kimi", "glm", "zai")
SUFFIX = ".toml"


def load_profiles(own: Path | None = None) -> list[Profile]:
    """The shipped profiles, then those of `own`, a file or a folder of them; one of a name that is
    known already takes its place. Raises ConfigurationError naming the file."""
    folder = files("busctl") / "providers"
    shipped = [_read((folder / f"{name}{SUFFIX}").read_text("utf-8"), name) for name in SHIPPED]
    return list(by_name([*shipped, *_own(own)]).values())


def load_accounts(settings: Settings, environ: Mapping[str, str] | None = None) -> list[Account]:
    """Every provider as it is configured. The variables of the shipped profiles are settings; those
    of the user's profiles are looked up in the environment. Raises ConfigurationError."""
    environ = os.environ if environ is None else environ
    fields = known_names()

    def lookup(name: str) -> str | None:
        if name not in fields:
            return environ.get(name)
        value = getattr(settings, fields[name])
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    return accounts_of(load_profiles(settings.providers), lookup)


def _own(path: Path | None) -> Iterator[Profile]:
    if path is None:
        return
    try:
        found = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
        texts = [(each, each.read_text("utf-8")) for each in found]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"BUSCTL_PROVIDERS {path} cannot be read: {error}.") from error
    if not texts:
        raise ConfigurationError(
            f"BUSCTL_PROVIDERS {path} holds no {SUFFIX} file.", remedy="Name a profile in it."
        )
    for each, text in texts:
        yield _read(text, str(each))


def _read(text: str, origin: str) -> Profile:
    try:
        shape = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{origin} is not TOML: {error}.") from error
    return profile_of(shape, origin)
