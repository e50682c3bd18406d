"""What starting costs: the command line, and the embedded store."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from tests.bench.timing import medians

pytestmark = pytest.mark.bench


async def test_help_against_importing_typer() -> None:
    def process(*args: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([sys.executable, *args], capture_output=True, check=True)

    times = await medians(
        {
            "help": lambda: asyncio.to_thread(process, "-P", "-m", "busctl", "--help"),
            "typer": lambda: asyncio.to_thread(process, "-c", "import typer"),
        },
        11,
        warm_up=2,
    )
    ratio = times["help"] / times["typer"]
    print(f"busctl --help: {ratio:.2f} x importing typer")
    assert ratio <= 2.5
