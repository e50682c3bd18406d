"""Who sees what in the dashboard, over plain HTTP: a principal its own, nobody anything, and a bus
that is switched off says so."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

from tests.cli.commands import busctl
from tests.e2e.daemons import TOKEN, Running, daemon, session


class Viewer:
    """A browser without scripts."""

    def __init__(self, running: Running, token: str) -> None:
        self._url = running.url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        form = urlencode({"token": token}).encode()
        self.greeted = self._open(
            urllib.request.Request(f"{self._url}/ui/login", form, {"Origin": self._url})
        )

    def get(self, path: str) -> tuple[int, str]:
        return self._open(urllib.request.Request(self._url + path))

    def _open(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self._opener.open(request, timeout=30) as response:
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
            for path in (theirs, f"{theirs}/preview", f"{theirs}/trace", f"{theirs}/verify",
                         f"{theirs}/download", "/ui/watch"):  # fmt: skip
                assert amy.get(path)[0] in (403, 404), path
            assert 'name="token"' in Viewer(running, "nobody's-token-at-all").greeted[1]
            assert busctl(database, "token", "revoke", made["id"]).code == 0
            assert 'name="token"' in amy.get("/ui/messages")[1]

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
