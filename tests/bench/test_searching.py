"""A search of 20 MB against `grep -E` on the same bytes as a file: of an answer at hand, as one is
that has just been told to who searches it, and of one that is read from the store for that.

grep runs as a person runs it, whole process, over a file in the page cache. Both say where all
matches are, up to what a search tells: then grep is told to stop there, too, and starting it is
half of its time, so that such patterns are compared with grep over the whole file.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from busctl.adapters.re2_patterns import finder_of
from busctl.connect import Bus
from busctl.core.envelope import Labels
from busctl.ops.reading.recent import Recent
from busctl.ops.reading.searching import Wanted, search
from busctl.ops.reading.source import Place

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

ROUNDS = 5
WANTED = Wanted(most=50, context=0, room=1_000_000, seconds=30)
OF_ROWS = [
    "street 6499[0-9]", r'"lat": 0\.99999', r"[a-z]+@[a-z]+\.com", "(foo|bar)[0-9]+", "^nothing",
    "zzzz", "timeout|refused|error", "[0-9]{17}", r"\b[A-Z]{3}\b",
]  # fmt: skip
OF_LOG = [
    "ERROR", "WARN.*timeout", "timeout|refused|denied", r"\[00000[0-9a-f]{3}\]",
    "took 9999[0-9] ms$", r"^2026-11-27T16:59:59\.99", "[0-9]{6} ms", r"\b[a-z]+@[a-z]+\.com",
    "timeout took 1[0-9]{4} ms",
]  # fmt: skip


def rows() -> list[str]:
    """Repetitive JSON: stored in a fourteenth of its size."""
    dice = random.Random(1)
    return [
        json.dumps({
            "id": n, "name": f"user {n}", "tags": ["a", "b", {"x": [1, 2]}], "bio": "x" * (n % 211),
            "addr": {"street": f"some street {n}", "geo": {"lat": dice.random()}},
        })
        for n in range(80_000)
    ]  # fmt: skip


def log() -> list[str]:
    """Lines of words that are no language: stored in 0.43 of their size."""
    dice = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(dice.choices(letters, k=dice.randrange(3, 10))) for _ in range(3_000)]
    words[0] = "timeout"
    return [
        f"2026-11-27T16:{dice.randrange(60):02}:{dice.randrange(60):02}.{dice.randrange(1000):03}Z "
        f"{dice.choice(['INFO'] * 20 + ['WARN'])} [{dice.randrange(1 << 32):08x}] "
        f"{' '.join(dice.choices(words, k=dice.randrange(4, 25)))} took {dice.randrange(99_999)} ms"
        for _ in range(140_000)
    ]


@pytest.mark.parametrize(
    ("lines", "joined", "patterns"),
    [(rows, "\n", OF_ROWS), (log, "\n", OF_LOG), (rows, ", ", OF_ROWS)],
    ids=["rows", "log", "one line"],
)
async def test_a_search_against_grep(
    bus: Bus, tmp_path: Path, lines: Callable[[], list[str]], joined: str, patterns: list[str]
) -> None:
    payload = joined.join(lines()).encode()
    file = tmp_path / "payload"
    file.write_bytes(payload)
    place = Place((await bus.put(payload, Labels(content_type="text/plain"))).transaction_id)
    for pattern in patterns:
        best = await measured(bus, place, file, pattern)
        print(
            f"{len(payload) / 1e6:.1f} MB, {pattern}: grep {best['grep'] * 1e3:.1f} ms, "
            f"at hand {best['at hand'] / best['grep']:.2f} x, "
            f"from the store {best['store'] / best['grep']:.2f} x; "
            f"only read {best['read'] / best['grep']:.2f} x"
        )
        assert best["at hand"] <= 2 * best["grep"]
        # What reading verified takes by itself, and looking: they overlap where cores are free.
        assert best["store"] <= 1.6 * (best["read"] + best["at hand"])


async def measured(bus: Bus, place: Place, file: Path, pattern: str) -> dict[str, float]:
    """The best time of each, in seconds."""
    recent = Recent(64_000_000)
    opened = await bus.open(place.transaction_id, delivers=False)
    recent.remember(opened.claim, file.read_bytes())
    best: dict[str, float] = {}

    def took(name: str, began: float) -> None:
        best[name] = min(best.get(name, 1e9), time.perf_counter() - began)

    for _ in range(ROUNDS):
        began = time.perf_counter()
        command = ["grep", "-E", "-b", "-o", pattern, str(file)]
        grepped = subprocess.run(
            command, stdout=subprocess.PIPE, env={"LC_ALL": "C.UTF-8"}, check=False
        )
        took("grep", began)
        offsets = [int(line.partition(b":")[0]) for line in grepped.stdout.splitlines()]
        for name, known in (("store", Recent(64_000_000)), ("at hand", recent)):
            began = time.perf_counter()
            found, _ = await search(bus, place, finder_of(pattern), WANTED, known)
            took(name, began)
            at = [match[0] for line in found.lines for match in line.matches]
            assert at == offsets[: len(at)]
            assert found.more == (len(at) < len(offsets))
        began = time.perf_counter()
        opened = await bus.open(place.transaction_id, delivers=False)
        async for _ in opened.pieces:
            pass
        took("read", began)
    return best
