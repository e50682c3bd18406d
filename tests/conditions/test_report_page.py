"""Reports of real runs in a real Chromium: one file, no request, whatever it holds stays text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

from tests.cli.commands import busctl
from tests.conditions.browser import DESKTOP, PHONE, browsing

RUNS = {
    "bench": ("--sizes", "1KB,20KB", "--contents", "json", "--repeat", "2", "--no-memory"),
    "test-integrity": ("--sizes", "1KB,20KB", "--contents", "json", "--concurrency", "2"),
    "limits": ("--sizes", "1KB,20KB", "--max-bytes", "1500KB"),
}
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("command", RUNS)
async def test_a_report_shows_what_the_json_says(
    database: str, tmp_path: Path, command: str
) -> None:
    target = tmp_path / "report.html"
    done = busctl(database, command, *RUNS[command], "--report", target, "--json")
    assert (done.code, done.err) == (0, "")
    views: list[tuple[tuple[int, int], Literal["light", "dark"]]] = [
        (DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"),
    ]  # fmt: skip
    shades = set()
    for size, scheme in views:
        async with browsing(size=size, scheme=scheme) as browser:
            asked: list[str] = []
            browser.page.on("request", lambda request: asked.append(request.url))  # noqa: B023  # a page of this turn
            await browser.page.goto(target.as_uri())
            assert asked == [target.as_uri()]
            assert await browser.page.evaluate(WIDE) == 0
            held = await browser.page.locator("#json").text_content()
            assert json.loads(held or "") == done.json
            dots = await browser.page.locator("figure circle title").all_text_contents()
            assert dots and all(" ms" in one or " ×" in one for one in dots)
            shades.add(
                await browser.page.evaluate("getComputedStyle(document.body.parentNode).background")
            )
            assert browser.complaints == []
    assert len(shades) == 2, "light and dark look different"
