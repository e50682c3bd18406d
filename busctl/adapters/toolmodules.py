"""Finds tools: `module:attribute` from the configuration, and the installed `busctl.tools`."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from busctl.core.errors import ConfigurationError
from busctl.core.tools.toolset import Offer

GROUP = "busctl.tools"
DEMO = "busctl.tools:demo"


def load_tools(
    specs: Iterable[str] = (), *, installed: bool = True, demo: bool = True
) -> list[Offer]:
    """What `specs` (each "module:attribute") and the installed entry points offer; without `demo`
    not busctl's own.

    Imports run the modules' code. Raises ConfigurationError naming the module and the reason.
    """
    entries = _entry_points() if installed else []
    found = [_installed(each) for each in entries if demo or each.value != DEMO]
    return found + [_named(spec) for spec in specs]


def _entry_points() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda each: (each.name, each.value))


def _installed(entry: EntryPoint) -> Offer:
    of = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    origin = f"the installed tools {entry.name!r} ({entry.value}{of})"
    return Offer(entry.value, origin, _attribute(entry.value, origin))


def _named(spec: str) -> Offer:
    origin = f"--tools {spec}"
    return Offer(spec, origin, _attribute(spec, origin))


def _attribute(spec: str, origin: str) -> object:
    name, mark, path = spec.partition(":")
    if not (name and mark and path):
        raise ConfigurationError(f"{origin} is not module:attribute.")
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"{origin}: the module {name!r} cannot be imported: {type(error).__name__}: {error}",
            remedy="Check its name, PYTHONPATH, and that it imports on its own.",
        ) from error
    try:
        return functools.reduce(getattr, path.split("."), module)
    except AttributeError as error:
        raise ConfigurationError(
            f"{origin}: the module {name!r} has no {path!r}.",
            remedy="Name a function, a list or dict of functions, or a busctl.tools.ToolSet.",
        ) from error
