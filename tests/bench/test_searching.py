"""A search of 20 MB in the daemon's process against `grep -E` on the same bytes as a file."""

from __future__ import annotations

import json
import random
import subprocess
import time
from pathlib import Path

import pytest

from busctl.adapters.re2_patterns import finder_of
from busctl.connect import Bus
from busctl.core.envelope import Labels
from busctl.ops.reading.recent import Recent
from busctl.ops.reading.searching import Wanted, search
from busctl.ops.reading.source import Place

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

ROUNDS = 7
PATTERNS = ["street 6499[0-9]", r'"lat": 0\.99999', r"[a-z]+@[a-z]+\.com", "(foo|bar)[0-9]+"]
WANTED = Wanted(most=500, context=0, room=1_000_000, seconds=30)


def rows() -> list[str]:
    dice = random.Random(1)
    return [
        json.dumps({
            "id": n, "name": f"user {n}", "tags": ["a", "b", {"x": [1, 2]}], "bio": "x" * (n % 211),
            "addr": {"street": f"some street {n}", "geo": {"lat": dice.random()}},
        })
        for n in range(80_000)
    ]  # fmt: skip


@pytest.mark.parametrize("layout", ["lines", "one line"])
@pytest.mark.parametrize("pattern", PATTERNS)
async def test_a_search_against_grep(bus: Bus, tmp_path: Path, layout: str, pattern: str) -> None:
    payload = ("\n" if layout == "lines" else ", ").join(rows()).encode()
    file = tmp_path / "payload"
    file.write_bytes(payload)
    place = Place((await bus.put(payload, Labels(content_type="text/plain"))).transaction_id)
    recent = Recent(64_000_000)
    times: dict[str, list[float]] = {"grep": [], "first": [], "again": []}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        command = ["grep", "-E", "-b", "-o", pattern, str(file)]
        grepped = subprocess.run(
            command, stdout=subprocess.PIPE, env={"LC_ALL": "C.UTF-8"}, check=False
        )
        times["grep"].append(time.perf_counter() - began)
        offsets = [int(line.partition(b":")[0]) for line in grepped.stdout.splitlines()]
        for name, known in (("first", None), ("again", recent)):
            began = time.perf_counter()
            found, _ = await search(bus, place, finder_of(pattern), WANTED, known)
            times[name].append(time.perf_counter() - began)
            assert [match[0] for line in found.lines for match in line.matches] == offsets
    best = {name: min(measured) for name, measured in times.items()}
    print(
        f"{len(payload) / 1e6:.1f} MB, {layout}, {pattern}: grep {best['grep'] * 1e3:.1f} ms, "
        f"first {best['first'] / best['grep']:.2f} x, again {best['again'] / best['grep']:.2f} x"
    )
