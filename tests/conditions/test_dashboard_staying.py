"""A page that stays open while the daemon and the store go and come back, and logins that end."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import expect

from tests.cli.commands import busctl
from tests.conditions.browser import Browser, browsing
from tests.e2e.daemons import TOKEN, daemon, session
from tests.gate import LOOSE_ENDS, gate_to

pytestmark = LOOSE_ENDS
QUICK = {
    "MESSAGE_BUS_CIRCUIT_BREAKER_TIMEOUT_SECS": "1", "BUSCTL_CONNECT_TIMEOUT_SECS": "2",
    "MESSAGE_BUS_WRITE_TIMEOUT_SECS": "1", "MESSAGE_BUS_READ_TIMEOUT_SECS": "1",
}  # fmt: skip


async def log_in(browser: Browser, token: str = TOKEN) -> None:
    await browser.page.get_by_label("Token").fill(token)
    await browser.page.get_by_role("button", name="Log in").click()


async def test_an_open_page_says_that_it_is_not_live_and_asks_for_the_token_again(
    database: str, tmp_path: Path
) -> None:
    state = {"BUSCTL_STATE_DIR": str(tmp_path / "state")}
    async with browsing() as browser:
        page = browser.page
        with daemon(database, **state) as running:
            await page.goto(f"{running.url}/?window=24h")
            await log_in(browser)
            await expect(page.get_by_role("link", name="24h")).to_have_attribute(
                "aria-current", "true"
            )
            line = page.locator("#line")
            await expect(page.locator(".u-wrap")).to_have_count(3)
            await expect(line).to_be_hidden()
            await asyncio.to_thread(running.stop)
            await expect(line).to_contain_text("Not live since")
        with daemon(database, **state, BUSCTL_PORT=str(running.port)):
            await expect(page.get_by_label("Token")).to_be_focused()
            await log_in(browser)
            await expect(page.get_by_role("link", name="24h")).to_have_attribute(
                "aria-current", "true"
            )
            await expect(line).to_be_hidden()


async def test_a_followed_list_says_when_the_store_is_away_and_goes_on(
    database: str, tmp_path: Path
) -> None:
    with gate_to(database) as gate:
        gate.open()
        settings = {**QUICK, "BUSCTL_STATE_DIR": str(tmp_path / "state")}
        with daemon(gate.dsn, **settings) as running:
            async with browsing() as browser, browsing() as other, session(running) as client:
                page = browser.page
                await browser.login(running)
                await other.login(running)
                await page.goto(f"{running.url}/ui/messages?follow=1")
                first = await client.call("text", {"value": "first"})
                seen = page.get_by_role("link", name=first["transaction_id"])
                await expect(seen).to_be_visible()
                gate.shut()
                await expect(page.get_by_role("alert")).to_be_visible()
                await expect(seen).to_be_visible()
                await other.page.goto(f"{running.url}/ui/health")
                row = other.page.get_by_role("row", name="schema")
                await expect(row).to_contain_text("It could not look: The store was not asked.")
                assert (await row.inner_text()).count("was not asked") == 1
                await other.page.goto(f"{running.url}/ui/messages")
                again = other.page.get_by_role("link", name="Try again")
                await expect(again).to_be_visible()
                gate.open()
                await expect(page.get_by_role("alert")).to_have_count(0)
                await again.click()
                await expect(other.page.get_by_role("heading", name="Messages")).to_be_visible()
                second = await client.call("text", {"value": "second"})
                await expect(
                    page.get_by_role("link", name=second["transaction_id"])
                ).to_be_visible()
                assert browser.complaints == []
            assert running.stop() == 0
            assert "Traceback" not in running.log


async def test_a_token_that_is_revoked_ends_the_open_page_and_a_read_one_is_enough(
    database: str, tmp_path: Path
) -> None:
    made = busctl(
        database, "token", "create", "--principal", "amy", "--scope", "read", "--json"
    ).json
    state = {"BUSCTL_STATE_DIR": str(tmp_path / "state"), "BUSCTL_TOKEN_CACHE_SECS": "0"}
    with daemon(database, **state) as running:
        async with browsing() as browser, browsing() as other:
            page = browser.page
            await browser.login(running, made["token"])
            await other.login(running)
            await expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible()
            await expect(page.get_by_role("link", name="Watch")).to_be_hidden()
            stored = busctl(database, "put", "-", "--owner", "amy", given=b"hers").text.strip()
            await page.goto(f"{running.url}/ui/messages/{stored}")
            await expect(page.locator("pre.payload")).to_be_visible()
            assert busctl(database, "token", "revoke", made["id"]).code == 0
            await page.get_by_role("button", name="Verify now").click()
            await expect(page.get_by_label("Token")).to_be_visible()
            await log_in(browser, made["token"])
            await expect(page.get_by_role("alert")).to_have_text("The token is wrong.")
            await log_in(browser)
            await expect(page.get_by_role("heading", name=stored)).to_be_visible()
            await other.page.get_by_role("link", name="Watch").click()
            await expect(other.page.get_by_role("heading", name="Followers")).to_be_visible()
            assert other.complaints == []
