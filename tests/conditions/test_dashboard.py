"""The dashboard in a real Chromium, on a real daemon: it is live, it shows messages in pieces,
and nothing of a payload is ever more than text."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from tests.cli.commands import busctl
from tests.conditions.browser import DESKTOP, PHONE, Browser, browsing
from tests.e2e.daemons import TOKEN, Running, daemon, session
from tests.gate import LOOSE_ENDS, gate_to

pytestmark = LOOSE_ENDS

NAMELESS = """[...document.querySelectorAll('a, button, input, select, [tabindex], [role=region]')]
    .filter((one) => !one.hidden && one.id !== 'main' && one.type !== 'hidden')
    .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim()
        || (one.labels && one.labels.length) || one.getAttribute('aria-labelledby')))
    .map((one) => one.outerHTML)"""
MISNAMED = """[...document.querySelectorAll('[aria-label]')].filter((one) =>
    (['PRE', 'DIV', 'SPAN', 'P'].includes(one.tagName) && !one.getAttribute('role'))
    || (['A', 'BUTTON'].includes(one.tagName)
        && !one.getAttribute('aria-label').includes(one.innerText.trim())))
    .map((one) => one.outerHTML)"""
"""Names that go unheard, and names without the words that are seen."""
XSS = "<img src=x onerror=alert(1)><script>document.title='pwned'</script>"
QUICK = {
    "MESSAGE_BUS_CIRCUIT_BREAKER_THRESHOLD": "2", "MESSAGE_BUS_CIRCUIT_BREAKER_TIMEOUT_SECS": "1",
    "BUSCTL_CONNECT_TIMEOUT_SECS": "2", "MESSAGE_BUS_WRITE_TIMEOUT_SECS": "1",
    "MESSAGE_BUS_READ_TIMEOUT_SECS": "1",
}  # fmt: skip


def fine(browser: Browser) -> None:
    """Neither the console nor a script of ours has complained."""
    assert browser.complaints == []


async def test_a_call_a_breaker_and_a_large_message_show(database: str, tmp_path: Path) -> None:
    with gate_to(database) as gate:
        gate.open()
        settings = {**QUICK, "BUSCTL_STATE_DIR": str(tmp_path / "state")}
        with daemon(gate.dsn, **settings) as running:
            async with browsing() as browser, session(running, session_id="live") as client:
                page = browser.page
                await browser.login(running)
                await expect(page.get_by_text("No message yet.")).to_be_visible()
                await expect(page.locator(".u-wrap")).to_have_count(3)
                await client.call("structured")
                newest = page.get_by_role("table").first
                await expect(newest.get_by_text("structured")).to_be_visible()
                tools = page.get_by_role("region", name="Tools over 15m")
                await expect(tools.get_by_text("structured")).to_be_visible(timeout=15_000)

                claim = (await client.call("blob", {"size_bytes": 10_000_000}))["claim"]
                await opens_in_pieces(browser, running, claim["transaction_id"])

                await page.goto(running.url)
                await expect(page.locator("#breaker")).to_have_text("closed")
                gate.shut()
                await client.call("structured")
                await expect(page.locator("#breaker")).not_to_have_text("closed", timeout=20_000)
                await expect(page.get_by_role("alert")).to_contain_text("fall back to the spool")
                flow = page.get_by_role("region", name=re.compile("Message flow"))
                await expect(flow).to_contain_text("1 waiting")
                gate.open()
                await expect(page.locator("#breaker")).to_have_text("closed", timeout=20_000)
                await expect(flow).to_contain_text("1 fell back, 1 reconciled", timeout=20_000)
                fine(browser)


async def opens_in_pieces(browser: Browser, running: Running, transaction_id: str) -> None:
    page = browser.page
    await page.goto(f"{running.url}/ui/messages/{transaction_id}")
    await expect(page.locator("pre.payload")).to_contain_text("00000000  00 01 02")
    await page.get_by_role("button", name="Last").click()
    await expect(page.locator("#preview")).to_contain_text("of 10,000,000")
    await expect(page.locator("pre.payload")).to_contain_text("0098")
    assert len(await page.content()) < 100_000
    await expect(page.locator("#trace")).to_contain_text("No hop that was seen differs")
    await page.get_by_role("button", name="Verify now").click()
    await expect(page.locator("#verified")).to_contain_text("every digest is right")
    async with page.expect_download() as coming:
        await page.get_by_role("link", name="Download 10.0 MB").click()
    saved = Path(await (await coming.value).path())
    told = await page.locator("dd.id").inner_text()
    assert hashlib.sha256(saved.read_bytes()).hexdigest() == told


async def test_what_a_tool_says_stays_text(database: str, tmp_path: Path) -> None:
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:
        async with browsing() as browser, session(running, session_id=XSS) as client:
            page = browser.page
            await client.call("text", {"value": XSS * 20}, request_id=XSS)
            await browser.login(running)
            await page.goto(f"{running.url}/ui/messages?session={quote(XSS)}")
            await expect(page.get_by_role("cell", name=XSS)).to_be_visible()
            await page.locator("a.id").click()
            await expect(page.locator("pre.payload")).to_contain_text(XSS)
            for form in ("json", "hex", "text"):
                await page.get_by_role("button", name=form, exact=True).click()
                await expect(page.get_by_role("button", name=form, exact=True)).to_have_attribute(
                    "aria-pressed", "true"
                )
            await expect(page.locator("#trace")).to_contain_text("Hop")
            assert await page.locator("main img, main script").count() == 0
            assert await page.title() == "Message · busctl"
            fine(browser)


async def test_who_goes_by_keys_or_selects_is_not_disturbed(database: str, tmp_path: Path) -> None:
    """A live page is replaced under one's hands, several times a minute."""
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:
        async with browsing() as browser, session(running, session_id="live") as client:
            page = browser.page
            first = await client.call("text", {"value": "first"})
            await browser.login(running)
            link = page.get_by_role("link", name=f"Message {first['transaction_id']}")
            await link.focus()
            second = await client.call("text", {"value": "second"})
            newer = page.get_by_role("link", name=f"Message {second['transaction_id']}")
            await expect(newer).to_be_visible()
            await expect(link).to_be_focused()

            await page.evaluate(
                "getSelection().selectAllChildren(document.querySelector('#live table tbody'))"
            )
            third = await client.call("text", {"value": "third"})
            newest = page.get_by_role("link", name=f"Message {third['transaction_id']}")
            await page.wait_for_timeout(2500)
            await expect(newest).to_have_count(0)
            await page.evaluate("getSelection().removeAllRanges()")
            await client.call("text", {"value": "fourth"})
            await expect(newest).to_be_visible()
            await link.press("Enter")
            await expect(page.get_by_role("heading", name=first["transaction_id"])).to_be_visible()
            fine(browser)


async def test_what_watchers_found_shows(database: str, tmp_path: Path) -> None:
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:
        async with browsing() as browser, session(running, session_id=XSS) as client:
            page = browser.page
            empty = await client.call("text", {"value": ""})
            watched = await asyncio.to_thread(busctl, database, "watch", "--once", "--name", "eye")
            assert watched.code in (0, 1), watched.err
            await browser.login(running)
            await page.get_by_role("link", name="Watch").click()
            followers = page.get_by_role("region", name="Table of followers")
            await expect(followers.get_by_role("rowheader", name="eye")).to_be_visible()
            seen = page.get_by_role("region", name="Table of observations")
            await seen.get_by_role("link", name=empty["transaction_id"]).click()
            heading = page.get_by_role("heading", name=empty["transaction_id"])
            await expect(heading).to_be_visible()
            await expect(page.locator("#observed")).to_contain_text("warning empty:")
            await page.locator("#observed a").click()
            await expect(page.get_by_text("It observes")).to_be_visible()
            await page.get_by_role("link", name=empty["transaction_id"]).click()
            await expect(heading).to_be_visible()
            fine(browser)


async def test_only_who_has_logged_in_sees_and_only_their_own(
    database: str, tmp_path: Path
) -> None:
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:
        async with browsing() as browser, session(running) as client:
            page = browser.page
            answer = await client.call("text", {"value": "x"})
            for path in ("/", "/ui/messages", "/ui/health", "/ui/events?view=now"):
                status, headers, text = fetched(running, path)
                assert "script-src 'self'" in headers["content-security-policy"]
                assert status == 401 or 'name="token"' in text
            await browser.login(running, "a-wrong-token-0123456789")
            await expect(page.get_by_role("alert")).to_have_text("The token is wrong.")
            browser.complaints.clear()  # Chromium tells of the 401
            await browser.login(running)
            await expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible()
            (cookie,) = await browser.context.cookies()
            assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
            assert TOKEN not in cookie["value"]
            await page.keyboard.press("Tab")
            await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
            await page.get_by_role("button", name="Log out").click()
            await expect(page.get_by_label("Token")).to_be_focused()
            await page.goto(f"{running.url}/ui/messages/{answer['transaction_id']}")
            await expect(page.get_by_label("Token")).to_be_visible()
            fine(browser)
        assert foreign_login(running) == 403


def fetched(running: Running, path: str) -> tuple[int, dict[str, str], str]:
    try:
        with urllib.request.urlopen(running.url + path, timeout=10) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return response.status, headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, ""


def foreign_login(running: Running) -> int:
    """A form that tells no Origin."""
    wanted = urllib.request.Request(f"{running.url}/ui/login", f"token={TOKEN}".encode())
    try:
        with urllib.request.urlopen(wanted, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [("light", DESKTOP, "light"), ("dark", DESKTOP, "dark"), ("phone", PHONE, "light")],
)
async def test_pages_fit_the_screen(
    database: str, tmp_path: Path, name: str, size: tuple[int, int], scheme: str
) -> None:
    """PICTURES=docs/pictures makes those of the documentation anew."""
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:
        async with session(running, session_id="picture") as client:
            for each in range(12):
                await client.call("text", {"value": "x" * 40 ** (each % 3 + 1)})
            await client.call("fail", {"words": "no"})
        async with browsing(size=size, scheme=scheme) as browser:  # type: ignore[arg-type]  # scheme is a str here, a Literal there
            page = browser.page
            await browser.login(running)
            await expect(page.locator(".u-wrap")).to_have_count(3)
            await expect(page.get_by_role("region", name="Tools over 15m")).to_contain_text(
                "fail", timeout=15_000
            )
            await page.screenshot(path=pictures / f"dashboard-{name}.png", full_page=True)
            await page.goto(f"{running.url}/ui/messages")
            one = await page.locator(".messages a").first.get_attribute("href")
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            for path in ("/", "/ui/messages?follow=1", f"{one}", "/ui/watch", "/ui/health"):
                await page.goto(running.url + path)
                await expect(page.get_by_text("Loading…")).to_have_count(0)
                assert await page.evaluate(NAMELESS) == [], f"{path}: no name for a screen reader"
                assert await page.evaluate(MISNAMED) == [], f"{path}: the wrong name for one"
                assert await page.evaluate(wide) == 0, f"{path} is wider than the screen"
            fine(browser)
            await page.goto(f"{running.url}/ui/messages?id={'x' * 300}")
            await expect(page.get_by_role("alert")).to_be_visible()
            assert await page.evaluate(wide) == 0, "a long word is wider than the screen"
