"""Comma-separated lists of a command line: names out of known ones, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from busctl.core.errors import ConfigurationError
from busctl.core.sizes import parse_size

Name = TypeVar("Name", bound=str)


def names_of(text: str, known: Sequence[Name], option: str) -> list[Name]:
    """The names of a list, once each. Raises ConfigurationError for one that is not known."""
    asked = list(dict.fromkeys(name.strip() for name in text.split(",")))
    found = [one for name in asked for one in known if one == name]
    if len(found) != len(asked):
        raise ConfigurationError(f"{option} {text!r}: known are {', '.join(known)}.")
    return found


def sizes_of(text: str) -> list[int]:
    """The sizes of a list in bytes, once each, smallest first. Raises ConfigurationError."""
    return sorted({parse_size(one) for one in text.split(",")})
