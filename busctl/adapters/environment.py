"""The configuration as it is given: flags, the process environment, an environment file.

A flag wins over the environment, the environment over the file, the file over the default.
Within one of them the canonical name wins over older ones, and a name with a value over an empty
one. An empty value is a value: it hides what the file says, and means "not set" for what may be
left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from busctl.adapters.env_file import EnvFile, read_env_file
from busctl.core.configuration.faults import faults_of
from busctl.core.configuration.settings import (
    PREFIXES,
    Settings,
    canonical_name,
    is_path,
    known_names,
)
from busctl.core.errors import ConfigurationInvalid

ENV_FILE = Path(".env")


class OriginKind(StrEnum):
    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of a setting comes from. `name` is the flag or variable that gave it."""

    kind: OriginKind
    name: str
    path: Path | None = None
    line: int | None = None

    def __str__(self) -> str:
        """The place: "flag", "environment", ".env:3" or "default"."""
        return f"{self.path}:{self.line}" if self.kind is OriginKind.FILE else self.kind.value


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, where each field (by name) comes from, and what is odd but not wrong."""

    settings: Settings
    origins: dict[str, Origin]
    warnings: list[str]


@dataclass(slots=True)
class _Reading:
    """What was found so far: the winning value and its origin by field, in order of rank."""

    values: dict[str, object] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def where(self, name: str) -> str:
        """Words for the origin of a field: "BUSCTL_PORT (.env:3)"."""
        origin = self.origins.get(name)
        if origin is None:
            return canonical_name(name) if name in Settings.model_fields else name
        return f"{origin.name} ({origin})"


def load(
    flags: Mapping[str, object] | None = None,
    *,
    env_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Loaded:
    """The settings in force. `flags` are by field name; a None in them is a flag not given.

    Without `env_file`, `.env` in `cwd` is read if it is there. Relative paths are taken from
    `cwd`, by default the working directory. Raises ConfigurationInvalid with every fault.
    """
    environ = os.environ if environ is None else environ
    base = Path() if cwd is None else cwd
    reading = _Reading()
    _take_flags(reading, flags or {})
    _take_layer(reading, [(n, v, Origin(OriginKind.ENVIRONMENT, n)) for n, v in environ.items()])
    if (file := _read_file(reading, env_file, base, environ)) is not None:
        _take_file(reading, file)
    settings = _build(reading, base)
    origins = {
        name: reading.origins.get(name, Origin(OriginKind.DEFAULT, canonical_name(name)))
        for name in Settings.model_fields
    }
    return Loaded(settings, origins, reading.warnings)


def _build(reading: _Reading, base: Path) -> Settings:
    settings = _validated(reading)
    if settings is None or reading.faults:
        raise ConfigurationInvalid(reading.faults, reading.warnings)
    try:
        return _anchored(settings, base)
    except OSError as error:
        fault = f"Relative paths cannot be followed: the working directory: {error.strerror}."
        raise ConfigurationInvalid([fault], reading.warnings) from error


def _validated(reading: _Reading) -> Settings | None:
    # The error ends here, so that no traceback carries the values, secrets too.
    try:
        return Settings.model_validate(reading.values)
    except ValidationError as error:
        reading.faults += faults_of(error, reading.values, reading.where)
        return None


def _anchored(settings: Settings, base: Path) -> Settings:
    """With relative paths taken from `base`: a store must not depend on who changes folder."""
    paths = {
        name: (base / value).absolute()
        for name in Settings.model_fields
        if is_path(name) and (value := getattr(settings, name)) is not None
    }
    return settings.model_copy(update=paths)


# --- the three layers -----------------------------------------------------------------------------


def _take_flags(reading: _Reading, flags: Mapping[str, object]) -> None:
    for name, value in flags.items():
        if value is not None:
            reading.values[name] = value
            reading.origins[name] = Origin(OriginKind.FLAG, f"--{name.replace('_', '-')}")


def _take_layer(reading: _Reading, given: Iterable[tuple[str, str, Origin]]) -> None:
    """Takes the known names of one layer for the fields that no higher layer has set."""
    layer = {name: (value, origin) for name, value, origin in given}
    reading.warnings += _unknown(layer)
    for field_name, names in _names_by_field().items():
        found = [layer[name] for name in names if name in layer]
        if found:
            _take_field(reading, field_name, sorted(found, key=lambda each: not each[0].strip()))


def _take_field(reading: _Reading, name: str, found: list[tuple[str, Origin]]) -> None:
    """`found` are the names of one layer that give the field, the one that counts first."""
    if name not in reading.values:
        reading.values[name], reading.origins[name] = found[0]
    elif found[0][0].strip() and reading.values[name] == "":
        reading.warnings.append(
            f"{reading.where(name)} is empty and hides {found[0][1].name} ({found[0][1]})."
        )
    winner = reading.origins[name]
    for value, origin in found:
        differs = value.strip() and value != reading.values[name]
        if differs and origin.name != winner.name and winner.kind is not OriginKind.FLAG:
            reading.warnings.append(
                f"{origin.name} ({origin}) differs from {reading.where(name)}, which is used."
            )


def _names_by_field() -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, field_name in known_names().items():
        names.setdefault(field_name, []).append(name)
    return names


def _unknown(layer: Mapping[str, tuple[str, Origin]]) -> Iterator[str]:
    known = known_names()
    for name, (_, origin) in sorted(layer.items()):
        if name in known or not name.upper().startswith(PREFIXES):
            continue
        near = get_close_matches(name.upper(), known, n=1, cutoff=0)
        # repr: a name may hold bytes that are not text.
        shown = name if name.isprintable() else repr(name)
        yield f"{shown} ({origin}) is not a variable of busctl; the nearest is {near[0]}."


# --- the file -------------------------------------------------------------------------------------


def _read_file(
    reading: _Reading, chosen: Path | None, base: Path, environ: Mapping[str, str]
) -> EnvFile | None:
    path = ENV_FILE if chosen is None else chosen
    try:
        file = read_env_file(base / path, environ)
    except (FileNotFoundError, IsADirectoryError) as error:
        # Only a file that was asked for must be there (a virtual environment may be named .env).
        if chosen is not None:
            reading.faults.append(f"--env-file {path}: {error.strerror}.")
        return None
    except OSError as error:
        reading.faults.append(f"{path} cannot be read: {error.strerror}.")
        return None
    except UnicodeDecodeError:
        reading.faults.append(f"{path} cannot be read: it is not UTF-8 text.")
        return None
    file.path = path
    return file


def _take_file(reading: _Reading, file: EnvFile) -> None:
    last: dict[str, tuple[str, Origin]] = {}
    known = known_names()
    for each in file.assignments:
        origin = Origin(OriginKind.FILE, each.name, file.path, each.line)
        if each.name in known and (each.value is None or each.unset):
            reading.faults.append(_half_said(origin, each.value))
            continue
        if each.name in known and each.name in last:
            earlier = last[each.name][1]
            reading.warnings.append(f"{each.name} ({earlier}) is set again at {origin}.")
        last[each.name] = (each.value or "", origin)
    _take_unreadable(reading, file, known)
    _take_layer(reading, [(name, value, origin) for name, (value, origin) in last.items()])


def _half_said(origin: Origin, value: str | None) -> str:
    if value is None:
        return f"{origin.name} ({origin}) has no value: write {origin.name}=value."
    return (
        f"{origin.name} ({origin}) refers to a ${{NAME}} that is not set:"
        " set it, or give ${NAME:-default}."
    )


def _take_unreadable(reading: _Reading, file: EnvFile, known: Mapping[str, str]) -> None:
    """A line that may have been ours is a fault; the file may be shared with other programs."""
    for line, text in file.unreadable:
        ours = any(name in text for name in (*known, *PREFIXES))
        said = f"{file.path}:{line} is not NAME=value"
        if ours:
            reading.faults.append(f"{said}: check its quotes.")
        else:
            reading.warnings.append(f"{said} and is left out.")
