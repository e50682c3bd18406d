"""A bus on the embedded store outlives its server."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from busctl.adapters import embedded
from busctl.connect import Bus
from busctl.core.settings import Settings


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
