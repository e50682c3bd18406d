"""Debian's Chromium, driven by playwright, and a daemon with tools worth looking at."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.async_api import BrowserContext, Page, async_playwright, expect

from tests.e2e.daemons import TOKEN, Running

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
expect.set_options(timeout=20_000)  # other tests have the processors, too
DESKTOP, PHONE = (1280, 900), (390, 844)


@dataclass
class Browser:
    """A page, and everything that its console and its network had to complain about."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    async def login(self, running: Running, token: str = TOKEN) -> None:
        await self.page.goto(f"{running.url}/")
        await self.page.get_by_label("Token").fill(token)
        await self.page.get_by_role("button", name="Log in").click()


@asynccontextmanager
async def browsing(
    *, size: tuple[int, int] = DESKTOP, scheme: Literal["light", "dark"] = "light"
) -> AsyncIterator[Browser]:
    """A Chromium of its own, with an empty profile."""
    assert CHROMIUM.exists(), f"{CHROMIUM} is missing: install Debian's chromium (as .ci/run does)"
    profile = tempfile.TemporaryDirectory(prefix="busctl-chromium-", ignore_cleanup_errors=True)
    async with async_playwright() as own:
        with profile as folder:
            context = await own.chromium.launch_persistent_context(
                folder, executable_path=CHROMIUM, headless=True, args=FLAGS,
                viewport={"width": size[0], "height": size[1]}, color_scheme=scheme,
            )  # fmt: skip
            found = Browser(context, context.pages[0])
            found.page.set_default_timeout(60_000)
            complain = found.complaints.append
            found.page.on("console", lambda said: complain(f"{said.type}: {said.text}"))
            found.page.on("pageerror", lambda error: complain(str(error)))
            try:
                yield found
            finally:
                await context.close()
