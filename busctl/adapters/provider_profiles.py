"""Profiles of providers as files: those that come with busctl, and the user's."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from pydantic import SecretStr

from busctl.core.configuration.settings import Settings, known_names
from busctl.core.errors import ConfigurationError
from busctl.core.providers.account import Account, accounts_of
from busctl.core.providers.profile import Profile, by_name, profile_of

SHIPPED = ("kimi", "glm", "zai")
COMPATIBLE = "compatible"
"""What is known of an API of that form that none of the profiles is of."""
SUFFIX = ".toml"


def load_profiles(own: Path | None = None) -> list[Profile]:
    """The shipped profiles, then those of `own`, a file or a folder of them; one of a name that is
    known already takes its place. Raises ConfigurationError naming the file."""
    return list(by_name([*map(_shipped, SHIPPED), *_own(own)]).values())


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


def account_at(settings: Settings, base: str, key: SecretStr, model: str) -> Account:
    """An account at an address with a key of its own: by the profile whose address it is, else
    whose model is asked there, else as any API of that form. Raises ConfigurationError."""
    base = base.rstrip("/")
    known = load_profiles(settings.providers)
    fits = [one for one in known if base in (one.base, *one.other_bases)]
    fits += [one for one in known if one.model(model) is not None]
    profile = fits[0] if fits else _shipped(COMPATIBLE)
    return Account(profile, base, profile.tool, key, "BUSCTL_LLM_API_KEY")


def _shipped(name: str) -> Profile:
    return _read((files("busctl") / "providers" / f"{name}{SUFFIX}").read_text("utf-8"), name)


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
