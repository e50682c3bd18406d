"""Who sees what in the dashboard, over plain HTTP: a principal its own, nobody anything, and a bus
that is switched off says so."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import quote, urlencode

from tests.cli.commands import busctl, put, wait_for
from tests.e2e.daemons import TOKEN, Running, daemon, environment, session
from tests.forks.client import Forked


class Viewer:
    """A browser without scripts."""

    def __init__(self, running: Running, token: str, query: str = "") -> None:
        self._url = running.url
        self.at = ""
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        form = urlencode({"token": token}).encode()
        self.greeted = self._open(
            urllib.request.Request(f"{self._url}/ui/login{query}", form, {"Origin": self._url})
        )

    def get(self, path: str) -> tuple[int, str]:
        return self._open(urllib.request.Request(self._url + path))

    def _open(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self._opener.open(request, timeout=30) as response:
                self.at = response.url.removeprefix(self._url)
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


async def test_a_principal_sees_its_own_and_no_longer_than_its_token(
    database: str, tmp_path: Path
) -> None:
    state = {"BUSCTL_STATE_DIR": str(tmp_path / "state"), "BUSCTL_TOKEN_CACHE_SECS": "0"}
    made = busctl(
        database, "token", "create", "--principal", "amy", "--scope", "read", "--json"
    ).json
    with daemon(database, **state) as running:
        async with session(running) as client:
            answer = await client.call("text", {"value": "for the operator"})
        theirs = f"/ui/messages/{answer['transaction_id']}"

        def look() -> None:
            operator, amy = Viewer(running, TOKEN), Viewer(running, made["token"])
            assert operator.get(theirs)[0] == 200
            assert "for the operator" in operator.get(f"{theirs}/preview?as=text")[1]
            assert amy.greeted[0] == 200
            assert "No message matches." in amy.get("/ui/messages")[1]
            assert "No message matches." in operator.get("/ui/messages?tool=te%00xt")[1]
            for path in (theirs, f"{theirs}/preview", f"{theirs}/trace", f"{theirs}/verify",
                         f"{theirs}/download", "/ui/watch"):  # fmt: skip
                assert amy.get(path)[0] in (403, 404), path
            assert 'name="token"' in Viewer(running, "nobody's-token-at-all").greeted[1]
            assert busctl(database, "token", "revoke", made["id"]).code == 0
            assert 'name="token"' in amy.get("/ui/messages")[1]

        await asyncio.to_thread(look)
        assert running.stop() == 0


def test_the_dashboard_alone_shows_a_store_without_a_daemon(database: str, tmp_path: Path) -> None:
    known = put(database, b"whole and verified", "--tool", "search")
    mine = busctl(
        database, "token", "create", "--principal", "amy", "--scope", "read", "--json"
    ).json["token"]
    call = busctl(
        database, "token", "create", "--principal", "amy", "--scope", "call", "--json"
    ).json["token"]
    with alone(database, tmp_path) as running:
        operator, amy = Viewer(running, TOKEN), Viewer(running, mine)
        wait_for(lambda: "search" in operator.get("/")[1].partition("Tools over 15m")[2])
        assert "none runs" in operator.greeted[1] and "No daemon runs." in operator.greeted[1]
        theirs = f"/ui/messages/{known}"
        assert "whole and verified" in operator.get(f"{theirs}/preview?as=text")[1]
        assert operator.get(f"{theirs}/download")[1] == "whole and verified"
        assert operator.get("/ui/health")[0] == operator.get("/ui/watch")[0] == 200
        assert amy.greeted[0] == 200 and amy.get(theirs)[0] in (403, 404)
        assert "lacks the scope read" in Viewer(running, call).greeted[1]
        for path in (f"/messages/{known}", "/metrics", "/readyz"):
            assert operator.get(path)[0] == 404, "nothing but pages"
        assert operator.get("/livez")[0] == 200
        assert running.stop() == 0
    assert "Traceback" not in running.log


def test_serving_it_where_a_daemon_is_says_which_port(database: str, tmp_path: Path) -> None:
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:
        taken = busctl(database, "dashboard", "--serve", "--port", running.port)
        assert taken.code == 2 and "is in use" in taken.err
    assert busctl(database, "dashboard", "--port", "1").code == 2
    gone = busctl(database, "dashboard", "-s", f"BUSCTL_PORT={running.port}")
    assert gone.code == 3 and "--serve shows the store without one" in gone.err


@contextmanager
def alone(dsn: str, folder: Path) -> Iterator[Running]:
    """`busctl dashboard --serve` on that database."""
    with (folder / "stderr").open("wb") as stderr:
        process: Forked[bytes] = Forked(
            ["dashboard", "--serve", "--json"], cwd=folder, stderr=stderr, stdout=subprocess.PIPE,
            env=environment(dsn, BUSCTL_STATE_DIR=str(folder)),
        )  # fmt: skip
    try:
        assert process.stdout is not None
        place = json.loads(process.stdout.readline())
        assert place["token_from"] == "BUSCTL_TOKEN"
        yield Running(process, folder, place["url"], int(place["url"].rpartition(":")[2]))
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def test_a_login_goes_on_to_the_page_that_was_asked_for_and_to_none_elsewhere(
    database: str, tmp_path: Path
) -> None:
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as running:

        def look() -> None:
            wanted = "/ui/messages?tool=a%20b"
            stranger = Viewer(running, "a-wrong-token")
            status, text = stranger.get(wanted)
            assert (status, stranger.at) == (200, f"/ui/login?{urlencode({'next': wanted})}")
            assert f"/ui/login?next={quote(wanted)}" in text
            assert Viewer(running, TOKEN, f"?{urlencode({'next': wanted})}").at == wanted
            for elsewhere in ("//a.example/", "https://a.example", "/\\a.example", "/x", "",
                              "/ui/\r\nSet-Cookie: a=b", "javascript:alert(1)"):  # fmt: skip
                time.sleep(0.3)  # five logins a second are let in
                assert Viewer(running, TOKEN, f"?{urlencode({'next': elsewhere})}").at == "/"

        await asyncio.to_thread(look)
        assert running.stop() == 0


async def test_a_bus_that_is_switched_off_says_so(database: str, tmp_path: Path) -> None:
    off = {"BUSCTL_STATE_DIR": str(tmp_path / "state"), "MESSAGE_BUS_ENABLED": "false"}
    with daemon(database, **off) as running:

        def look() -> None:
            viewer = Viewer(running, TOKEN)
            assert "switched off" in viewer.greeted[1]
            for path in ("/ui/messages", "/ui/health", "/ui/watch"):
                status, text = viewer.get(path)
                assert status == 503 and "switched off" in text

        await asyncio.to_thread(look)
        assert running.stop() == 0
        assert "Traceback" not in running.log and "AttributeError" not in running.log
