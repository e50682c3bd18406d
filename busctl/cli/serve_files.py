"""The daemon's way with files: what its chat tools read, and what its other tools may name."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from busctl.adapters.file_reading import RootedFiles
from busctl.adapters.postgres.conversations import PostgresConversations
from busctl.adapters.postgres.store import PostgresStore
from busctl.cli.file_hosts import file_hosts, ingestion
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.ops.files.entrance import FileEntrance
from busctl.ops.files.preparing import Preparation
from busctl.ports import Meter, ToolHost

log = logging.getLogger("busctl.serve")


@asynccontextmanager
async def preparing(
    settings: Settings, bus: Bus, meter: Meter, daemon: str
) -> AsyncIterator[Preparation]:
    """What puts files and conversations before prompts, for the time of the block; `daemon` is its
    name in the store."""
    _tell_of_missing_roots(settings)
    async with file_hosts(settings, bus.clock) as hosts:
        conversations = PostgresConversations(cast(PostgresStore, bus.store.inner))
        ingesting = ingestion(bus, settings.file_roots, daemon)
        yield Preparation(bus, ingesting, conversations, hosts.files, meter, daemon)


def _tell_of_missing_roots(settings: Settings) -> None:
    for root in settings.file_roots:
        if not Path(root).is_dir():
            log.warning(
                "a folder for files is not there: all below it is refused",
                extra={"setting": "BUSCTL_FILE_ROOTS", "folder": root},
            )


def entrance(settings: Settings, tools: ToolHost) -> FileEntrance:
    """Those tools, with the files that their arguments name checked before they run."""
    return FileEntrance(tools, RootedFiles(settings.file_roots, settings.file_max_bytes))
