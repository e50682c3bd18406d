"""System events that the store has not taken yet, in a file a daemon in the spool's folder: they
outlive a daemon that ends, or is killed, while the store is away."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from busctl.adapters import healthfile
from busctl.adapters.aside import make_folder
from busctl.core.operating.journal import Kind, SystemEvent

FOLDER = "events"
log = logging.getLogger("busctl.serve")


class EventsFile:
    """The file of the daemon of that name, host:pid:…, beside the spool in the folder `spool`."""

    def __init__(self, spool: Path, daemon: str) -> None:
        self._folder = spool / FOLDER
        self._path = self._folder / f"{daemon}.json"
        self._kept: list[SystemEvent] | None = None

    def keep(self, events: Sequence[SystemEvent]) -> None:
        """Write them in place of those before; none: no file. Raises OSError."""
        if self._kept == list(events):
            return
        if events:
            make_folder(self._folder.parent)  # the spool's, for its owner alone
            make_folder(self._folder)
            healthfile.replace_json(self._path, {"events": [_shape(one) for one in events]})
        else:
            healthfile.remove(self._path)
        self._kept = list(events)

    def left_behind(self) -> Sequence[SystemEvent]:
        """Those of daemons of this host that have ended, oldest first; their files are removed."""
        found: list[SystemEvent] = []
        for path in sorted(self._folder.glob("*.json")):
            if not has_ended(path.stem):
                continue
            try:
                found += _read(path)
                path.unlink()
            except (OSError, ValueError, KeyError, TypeError) as error:
                # What happened to the system is in the log of that daemon, too.
                log.warning("events not read", extra={"path": str(path), "error": str(error)})
        return sorted(found, key=lambda one: one.at)


def has_ended(daemon: str) -> bool:
    """Whether the daemon of that name, host:pid:…, was one of this host and its process is gone."""
    host, _, rest = daemon.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _read(path: Path) -> Iterator[SystemEvent]:
    for one in json.loads(path.read_text("utf-8"))["events"]:
        at = datetime.fromisoformat(one["at"])
        yield SystemEvent(at, one["daemon"], Kind(one["kind"]), one["detail"])


def _shape(event: SystemEvent) -> dict[str, object]:
    return {
        "at": event.at.isoformat(), "daemon": event.daemon, "kind": event.kind.value,
        "detail": dict(event.detail),
    }  # fmt: skip
