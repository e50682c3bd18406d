"""`busctl limits` measures, and docs/limits.md is a page that it wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.commands import busctl
from tests.docs.examples import DOCS


def form(page: str) -> list[str]:
    """A page without what was measured: prose, headings, the first cells of each row."""
    lines = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        kept = cells[1:2] if re.search(r"\d", line) and len(cells) > 2 else [line]
        lines.append(" ".join(kept))
    return list(dict.fromkeys(lines))


def test_it_measures_every_path_and_the_page_in_docs_is_one_of_its(
    database: str, tmp_path: Path
) -> None:
    page = tmp_path / "limits.md"
    done = busctl(
        database, "limits", "--max-bytes", "1500KB", "--sizes", "1KB", "-o", page, "--json"
    )
    assert done.code == 0, done.err
    shape = done.json
    assert shape["maximum_safe_sizes"] == dict.fromkeys(
        ["store", "websocket", "claim", "http identity", "http zstd"], 1_500_000
    )
    assert {one["path"] for one in shape["rows"]} == {"store", "websocket", "claim", "http"}
    assert all(one["median_ms"] > 0 and one["messages_per_s"] > 0 for one in shape["rows"])
    assert shape["machine"]["store"].startswith("configured database 18")
    written = page.read_text("utf-8")
    assert form(written) == form((DOCS / "limits.md").read_text("utf-8"))
    left = busctl(database, "ls", "--json").json["messages"]
    assert left == []


def test_the_frame_limit_is_found(database: str) -> None:
    done = busctl(
        database, "limits", "--paths", "websocket", "--max-bytes", "40MB", "--sizes", "1KB",
        "--json", "-s", "BUSCTL_MAX_MESSAGE_BYTES=33554432",
    )  # fmt: skip
    assert done.code == 0, done.err
    (limit,) = done.json["limits"]
    assert 20_000_000 < limit["largest_bytes"] < 33_554_432 and "frame limit" in limit["stopped_by"]


def test_wrong_command_lines() -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    assert busctl(away, "limits", "--paths", "air").code == 2
    assert busctl(away, "limits", "--max-bytes", "much").code == 2
    assert busctl(away, "limits").code == 3


@pytest.mark.parametrize("command", ["bench", "test-integrity", "limits"])
def test_a_report_that_cannot_be_written_is_refused_at_once(tmp_path: Path, command: str) -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    done = busctl(away, command, "--report", tmp_path / "none" / "report.html")
    assert done.code == 1 and f"there is no folder {tmp_path / 'none'}." in done.err
