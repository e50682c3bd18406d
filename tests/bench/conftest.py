"""What is measured here is a server as users have it: commits are on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from busctl.adapters import embedded


@pytest.fixture(scope="session")
def server(open_folder: Path) -> Iterator[embedded.Server]:
    """As the fixture of all tests, with fsync."""
    with embedded.acquire(open_folder / "store18") as lease:
        yield lease.server
