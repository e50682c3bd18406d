"""What the checks ask: the store, the daemon and this machine, as far as they could be reached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from busctl.core.comparison import Comparison
from busctl.core.configuration.settings import Settings
from busctl.core.errors import BusctlError
from busctl.core.operating.alert import Notice
from busctl.core.operating.finding import Report
from busctl.core.operating.health import Kind, Seen
from busctl.ports import Clock, Extent, Facts


@dataclass(frozen=True, slots=True)
class Canaries:
    """What came of sending samples along every path. `skipped` says why a path was not taken
    where that is no fault."""

    comparisons: Sequence[Comparison]
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that checks may ask. `facts` is None when the store could not be reached, `failure`
    says why. `schema` compares the schema with what was shipped; `send_canaries` sends samples
    and removes them again; `free_bytes` is the free space of the disk that holds a path;
    `spool` gives this host's spool, its folder and what is in it; `undelivered` are the alerts
    that a sink did not take. `daemon` is what the daemon of this configuration says of itself; it
    raises DaemonUnreachable when none answers."""

    settings: Settings
    clock: Clock
    host: str
    facts: Facts | None
    failure: BusctlError | None
    schema: Callable[[], Awaitable[Report]]
    send_canaries: Callable[[], Awaitable[Canaries]]
    free_bytes: Callable[[Path], int]
    spool: Callable[[], tuple[str, Extent]]
    undelivered: Callable[[], Awaitable[Sequence[Notice]]]
    daemon: Callable[[], Awaitable[Mapping[str, Any]]]
    folders: Sequence[Path] = ()
    """Where this deployment writes on this machine: its spool, its embedded store."""

    @property
    def store(self) -> Facts:
        """The store. Raises why it could not be reached."""
        if self.facts is None:
            raise self.failure or BusctlError("The store was not asked.")
        return self.facts


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, what it looks at, every kind of finding it can have, and the look."""

    name: str
    about: str
    kinds: Mapping[str, Kind]
    look: Callable[[Surroundings], Awaitable[Seen]]
    local: bool = False
    """All that it finds another machine may see otherwise."""
