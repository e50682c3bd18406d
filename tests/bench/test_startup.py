"""What starting costs: the command line, and the embedded store."""

from __future__ import annotations

import asyncio
import os
import pwd
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.embedded import binaries
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


async def test_warm_start_against_pg_ctl(open_folder: Path) -> None:
    """A stopped server to its first query, of the same data directory."""
    home = open_folder / "warm"
    with embedded.acquire(home) as lease:
        server = lease.server
    data, user = embedded.status(home).data_dir, server.as_user
    pg_ctl = binaries.find().program("pg_ctl")
    drop = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
    before = drop if os.geteuid() == 0 else []
    options = f"-k {server.socket_dir} -p {server.port} -c listen_addresses="

    def ours() -> None:
        with embedded.acquire(home) as lease:
            with psycopg.connect(lease.server.dsn) as connection:
                connection.execute("select 1")
            answered.append(time.perf_counter())

    def theirs() -> None:
        log = str(data / "bench.log")
        start = [str(pg_ctl), "-D", str(data), "-w", "-o", options, "-l", log, "start"]
        subprocess.run([*before, *start], check=True, stdout=subprocess.DEVNULL)
        with psycopg.connect(server.dsn) as connection:
            connection.execute("select 1")
        answered.append(time.perf_counter())
        stop = [str(pg_ctl), "-D", str(data), "-w", "-m", "fast", "stop"]
        subprocess.run([*before, *stop], check=True, stdout=subprocess.DEVNULL)

    answered: list[float] = []
    samples: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(5):
        for name, start in (("ours", ours), ("theirs", theirs)):
            began = time.perf_counter()
            await asyncio.to_thread(start)
            samples[name].append(answered[-1] - began)
    ratio = median(samples["ours"]) / median(samples["theirs"])
    print(f"embedded warm start: {ratio:.2f} x pg_ctl -w start")
    assert ratio <= 1.5
