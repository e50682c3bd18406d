"""The gateway over stdio against the same server asked directly, and against fastmcp's proxy.

`make bench ARGS="tests/bench/test_gateway.py"`. All three are asked in turn, by the Python SDK's
client, in one run; the gateway stores every answer.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.bench.timing import medians
from tests.e2e.daemons import ROOT, environment

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

SERVER = (sys.executable, "-m", "tests.upstream.server")
WAYS: Mapping[str, tuple[str, ...]] = {
    "direct": (),
    "fastmcp": (sys.executable, str(Path(__file__).with_name("plain_proxy.py"))),
    "gateway": (sys.executable, "-m", "busctl", "mcp", "--"),
}
LARGE = 20_000_000


@dataclass
class Reached:
    """A client, and the process that it has started."""

    client: Any
    pid: int

    def peak_bytes(self) -> int:
        """The most memory it has had resident."""
        return self._status("VmHWM")

    def resident_bytes(self) -> int:
        return self._status("VmRSS")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


@asynccontextmanager
async def reached(
    way: str, env: dict[str, str], folder: Path, *words: str, era: str = "legacy"
) -> AsyncIterator[Reached]:
    command = [*WAYS[way], *SERVER, *words]
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=env, cwd=folder)
    before = set(children())
    with (folder / f"{way}.log").open("a") as errlog:
        transport = stdio_client(parameters, errlog=errlog)
        async with Client(transport, mode=era, read_timeout_seconds=120) as client:
            yield Reached(client, (set(children()) - before).pop())


def children() -> list[int]:
    """The processes that this one has started."""
    path = Path("/proc/self/task")
    return [int(pid) for task in path.iterdir() for pid in (task / "children").read_text().split()]


@pytest.fixture
def env(database: str, tmp_path: Path) -> dict[str, str]:
    return environment(
        database, BUSCTL_STATE_DIR=str(tmp_path / "state"), PYTHONPATH=str(ROOT), BUSCTL_TOOLS=""
    )


@asynccontextmanager
async def all_ways(
    env: dict[str, str], folder: Path, *words: str
) -> AsyncIterator[dict[str, Reached]]:
    async with AsyncExitStack() as stack:
        yield {
            way: await stack.enter_async_context(reached(way, env, folder, *words)) for way in WAYS
        }


def told(what: str, figures: Mapping[str, float], unit: Callable[[float], str]) -> None:
    shown = ", ".join(
        f"{way} {unit(value)} ({value / figures['direct']:.2f} x)" for way, value in figures.items()
    )
    print(f"{what}: {shown}")


def in_ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


async def test_a_call_of_one_kilobyte(env: dict[str, str], tmp_path: Path) -> None:
    async with all_ways(env, tmp_path) as ways:
        call = {
            way: partial(one.client.call_tool, "plain", {"words": "w" * 1000})
            for way, one in ways.items()
        }
        figures = await medians(call, rounds=200, warm_up=20)
    told("call of 1 KB", figures, in_ms)
    assert figures["gateway"] <= 3 * figures["direct"]


async def test_listing_two_hundred_tools(env: dict[str, str], tmp_path: Path) -> None:
    async with all_ways(env, tmp_path, "--many", "200") as ways:
        for one in ways.values():
            assert len((await one.client.list_tools()).tools) >= 200
        figures = await medians(
            {way: partial(one.client.list_tools, cache_mode="bypass") for way, one in ways.items()},
            rounds=40,
        )
    told("list of 200 tools", figures, in_ms)
    assert figures["gateway"] <= 1.5 * figures["direct"]


async def test_twenty_megabytes_by_their_link(env: dict[str, str], tmp_path: Path) -> None:
    grown: dict[str, float] = {}
    digests: set[str] = set()
    for way in ("fastmcp", "gateway"):
        async with reached(way, env, tmp_path) as one:
            await one.client.call_tool("plain", {"words": "warm"})
            before = one.resident_bytes()
            answer = await one.client.call_tool("text", {"size": LARGE})
            text = answer.content[0].text
            if way == "gateway":
                link = answer.content[1]
                assert link.size == LARGE
                text = (await one.client.read_resource(link.uri)).contents[0].text
            digests.add(hashlib.sha256(text.encode()).hexdigest())
            grown[way] = one.peak_bytes() - before
    assert len(digests) == 1
    shown = ", ".join(f"{way} {size / LARGE:.1f} x" for way, size in grown.items())
    print(f"memory for an answer of 20 MB, above idle: {shown}")
    assert grown["gateway"] <= grown["fastmcp"] / 2
