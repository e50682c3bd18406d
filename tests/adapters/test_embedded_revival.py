"""A bus on the embedded store outlives its server."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest

from busctl.adapters import embedded
from busctl.adapters.clock import SystemClock
from busctl.adapters.spool import FileSpool
from busctl.connect import Bus, waits_here
from busctl.core.configuration.settings import Settings
from busctl.core.errors import EmbeddedStoreError, StoreUnreachable
from busctl.ops import bus as operations
from busctl.ops.guarding import NoStore
from busctl.ports import Store


async def test_a_killed_server_is_started_again_and_nothing_is_lost(open_folder: Path) -> None:
    home = open_folder / "revived"
    async with Bus.connect(Settings(store_dir=home)) as bus:
        claim = await bus.put(b"committed" * 300_000)
        before = embedded.status(home).pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        assert await bus.get(claim.transaction_id) == b"committed" * 300_000
        assert await bus.get((await bus.put(b"after")).transaction_id) == b"after"
        assert embedded.status(home).pid not in (None, before)
    assert embedded.status(home).pid is None, "the last user to leave stops the revived server too"
    for late in (bus.put(b"late"), bus.get(claim.transaction_id)):
        with pytest.raises(StoreUnreachable, match="closed at the end of its block"):
            await late
    assert embedded.status(home).pid is None, "nobody would stop it again"


async def _spooled(settings: Settings) -> UUID:
    sink = FileSpool.of(settings).sink("STORE_UNAVAILABLE", "d")
    away = cast(Store, NoStore(EmbeddedStoreError("away")))
    waiting = operations.Bus(away, settings, SystemClock(), sink=sink)
    return (await waiting.put(b"waits" * 500_000)).transaction_id


async def test_what_waits_is_read_while_the_server_hangs(open_folder: Path) -> None:
    settings = Settings(store_dir=open_folder / "hung", state_dir=open_folder / "state")
    waiting = await _spooled(settings)
    with embedded.acquire(open_folder / "hung") as lease:
        os.kill(lease.server.pid, signal.SIGSTOP)
        try:
            lazily = waits_here(settings, waiting)
            async with Bus.connect(settings, lazily=lazily) as bus:
                assert await bus.get(waiting) == b"waits" * 500_000
        finally:
            os.kill(lease.server.pid, signal.SIGCONT)


async def test_what_waits_is_read_although_the_server_does_not_start(open_folder: Path) -> None:
    (open_folder / "broken").write_text("no folder")
    settings = Settings(store_dir=open_folder / "broken", state_dir=open_folder / "states")
    waiting = await _spooled(settings)
    async with Bus.connect(settings, lazily=waits_here(settings, waiting)) as bus:
        assert await bus.get(waiting) == b"waits" * 500_000
        with pytest.raises(EmbeddedStoreError):
            await bus.put(b"x")
    with pytest.raises(EmbeddedStoreError):
        async with Bus.connect(settings):
            pass
