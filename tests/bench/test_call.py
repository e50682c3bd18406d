"""A call's answer redeemed by its claim, against the same bytes whole: as `busctl bench` has it.

Both calls run a tool that has its bytes ready, both store the answer, and both end with the
verified bytes in hand, over connections of the same client to the same daemon.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]


@pytest.mark.parametrize("content", ["json", "random"])
def test_ten_megabytes_by_claim_against_whole(database: str, content: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "busctl", "bench", "--sizes", "10MB", "--contents", content,
         "--paths", "claim,websocket,http", "--repeat", "9", "--json"],
        env={**os.environ, "DATABASE_URL": database}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = {row["path"]: row for row in json.loads(done.stdout)["rows"]}
    claim, http = (rows[path]["against"]["websocket"] for path in ("claim", "http"))
    print(f"10 MB {content}, a call by claim against whole: {claim:.2f} x, over HTTP {http:.2f} x")
    assert claim <= 2
