"""Secrets planted wherever one may stand, and looked for in everything that comes out.

Each canary is a word of its own, so a failure says whose secret got out, and by which command.
"""

from __future__ import annotations

import asyncio
import os
import threading
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from pydantic import ValidationError

from busctl.adapters import embedded
from busctl.core.configuration.settings import Settings, canonical_name, is_secret
from tests.conftest import make_database
from tests.e2e.daemons import Client, Running, daemon, raw
from tests.forks.client import run

MARK = "k4n4ry"
TOKEN = f"{MARK}-token-0123456789"
FILED = f"{MARK}-token-of-the-file"
PASSWORD = f"{MARK}-password"
PGPASSWORD = f"{MARK}-pgpassword"
ARGUMENT = f"{MARK}-argument"
AWAY = "127.0.0.1:1/none"

BAD_URLS = [
    f"postgresql://user:{PASSWORD}@{AWAY}",
    f"postgresql://user@{AWAY}?password={PASSWORD}",
    f"postgresql://user:{PASSWORD}@{AWAY}?no_such_option=1",
    f"postgresql://user:{PASSWORD}@host:port/name",
    f"postgresql://user:pass/{PASSWORD}@host/name",
    f"postgresql://user:pass@{PASSWORD}@host/name",
    f"postgresql://user:pass#{PASSWORD}@host/name",
    f"postgresql://user:%zz{PASSWORD}@host/name",
    f"postgresql://user:{PASSWORD}@[::1/name",
    f"mysql://user:{PASSWORD}@host/name",
    f"postgres//user:{PASSWORD}@host",
    f"host=127.0.0.1 port=1 user=u password={PASSWORD}",
    f"host=127.0.0.1 port=1 user=u password='{PASSWORD} it''s",
    f"host=127.0.0.1 port=1 no_such_option=1 password = '{PASSWORD}'",
    f"password={PASSWORD} host=/nowhere/at/all",
    PASSWORD,
]
"""Those that lead nowhere, and those that nobody can read."""

ASKING: list[list[str]] = [
    ["put", "{folder}/payload"], ["get", "{id}"], ["get", "{id}", "--json"], ["ls"],
    ["ls", "--json"], ["show", "{id}"], ["show", "{id}", "--json"], ["pin", "{id}"],
    ["unpin", "{id}", "--json"], ["extend", "{id}", "--ttl", "2h"], ["rm", "{id}", "--json"],
    ["export", "{folder}/out.tar", "--json"], ["import", "{folder}/out.tar"],
    ["cleanup"], ["cleanup", "--dry-run", "--json"], ["migrate", "status"],
    ["migrate", "status", "--json"], ["migrate", "verify"], ["migrate", "up", "--dry-run"],
    ["token", "list"], ["token", "list", "--json"], ["token", "revoke", "0123456789ab"],
    ["check"], ["check", "--json"], ["check", "--format", "prometheus"],
    ["check", "--format", "nagios"], ["check", "--alert", "connection"], ["doctor"],
    ["doctor", "--json"],
    ["store", "status"], ["store", "start"],
    ["config", "show"], ["config", "show", "--json"], ["config", "show", "--origin"],
    ["config", "check"], ["config", "check", "--json"],
    ["generate", "cron"], ["generate", "systemd"], ["generate", "pg_cron"],
    ["call", "--list"], ["call", "text", "value=x", "--json"], ["call", "no_such_tool"],
    ["call", "text"], ["call", "fail", "words=oh"],
    ["trace", "{id}"], ["trace", "{id}", "--json"], ["verify", "{id}", "--json"], ["fsck"],
    ["alert", "test"], ["alert", "test", "--json"], ["alert", "list"], ["alert", "history"],
    ["bench", "--sizes", "1KB", "--paths", "no-such-path"],
]  # fmt: skip
HEAVY = [["test-integrity", "--sizes", "1KB", "--paths", "claim,http", "--concurrency", "1"]]
"""It starts a daemon of its own: with which arguments?"""
FROM_FILES = [["put", "{folder}/payload"], ["ls"], ["config", "check"], ["config", "show"],
              ["config", "show", "--json"], ["config", "show", "--origin"], ["token", "list"],
              ["migrate", "status"], ["check", "--json"], ["call", "--list"], ["store", "status"],
              ["generate", "cron"], ["generate", "systemd"]]  # fmt: skip
CONFIGURING = [["ls"], ["config", "check"], ["config", "show", "--json"], ["migrate", "status"],
               ["check"], ["serve"]]  # fmt: skip


@dataclass
class Watched:
    """What was seen: texts by where they came from."""

    texts: dict[str, str] = field(default_factory=dict)

    def leaks(self, *allowed: str) -> list[str]:
        found = []
        for origin, text in self.texts.items():
            for line in text.splitlines():
                if MARK in line and not any(one in line for one in allowed):
                    found.append(f"{origin}: {line[:300]}")
        return found


@pytest.fixture(scope="module")
def dsn(server: embedded.Server) -> str:
    return asyncio.run(make_database(server, f"canaries_{os.getpid()}"))


@pytest.fixture(scope="module")
def planted() -> dict[str, str]:
    """Every secret setting but the DSN, with a value that it takes."""
    found = {"PGPASSWORD": PGPASSWORD, "PGUSER": "nobody"}
    for name in Settings.model_fields:
        if not is_secret(name) or name == "database_url":
            continue
        for value in (
            TOKEN,
            f"json://127.0.0.1:1/{MARK}-{name}",
            f"http://127.0.0.1:1/{MARK}-{name}",
        ):
            with suppress(ValidationError):
                Settings.model_validate({name: value})
                found[canonical_name(name)] = value
                break
        else:
            raise AssertionError(f"no canary fits {canonical_name(name)}: add a form to the list")
    return found


def plain() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": "/nonexistent"}


def fill(words: Sequence[str], folder: Path, message: str) -> list[str]:
    return [word.format(folder=folder, id=message) for word in words]


@contextmanager
def argument_lists() -> Iterator[Watched]:
    """All processes' arguments, looked at over and over for the time of the block."""
    seen, stop = Watched(), threading.Event()

    def look() -> None:
        while not stop.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):  # it has ended meanwhile
                    text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if MARK in text:
                        seen.texts[f"process {path.parent.name}"] = text
            stop.wait(0.05)

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield seen
    finally:
        stop.set()
        watching.join()


def ran(words: Sequence[str], env: dict[str, str], folder: Path) -> tuple[int, str]:
    """The exit code, and stdout and stderr."""
    done = run(words, env={**plain(), **env}, cwd=folder, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def run_all(
    each: Sequence[Sequence[str]], env: dict[str, str], folder: Path,
    *more: str, message: str = "01890000-0000-7000-8000-000000000001",
) -> Watched:  # fmt: skip
    seen = Watched()
    (folder / "payload").write_bytes(b"payload")
    for words in each:
        filled = [*fill(words, folder, message), *more]
        code, text = ran(filled, env, folder)
        seen.texts[" ".join(filled)] = f"exit {code}\n{text}"
        assert "Traceback" not in text, (filled, text)
        assert code >= 0, (filled, text)
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in (".env", "settings.env", "token"):
            seen.texts[str(path)] = path.read_bytes().decode("latin-1")
    return seen


def everything_of(running: Running, dsn: str) -> Watched:
    """What a daemon has written and shows."""
    seen = Watched({"log": running.log})
    for path in running.folder.iterdir():
        seen.texts[path.name] = path.read_bytes().decode("latin-1")
    for page in ("/metrics", "/readyz?verbose", "/livez"):
        with urllib.request.urlopen(running.url + page, timeout=30) as reply:
            seen.texts[page] = reply.read().decode()
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "select relname from pg_class where relnamespace = 'bus'::regnamespace "
            "and relkind in ('r', 'p') and not relispartition"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f"select to_jsonb(t) from bus.{table} t".encode()).fetchall()
            seen.texts[f"bus.{table}"] = "\n".join(map(str, rows))
    return seen


@asynccontextmanager
async def greeted(running: Running) -> AsyncIterator[Client]:
    async with raw(running) as client:
        await client.say("hello", token=TOKEN, accepts=["claim"])
        assert (await client.hear())["ok"] is True
        yield client


async def test_a_daemon_and_all_commands_in_good_condition(
    dsn: str, planted: dict[str, str], tmp_path: Path
) -> None:
    url = psycopg.conninfo.make_conninfo(dsn, password=PASSWORD)
    planted = {name: value for name, value in planted.items() if name != "PGUSER"}
    form = dict(BUSCTL_LOG_LEVEL="debug", MESSAGE_BUS_LOG_ALL_OPERATIONS="true", **planted)
    with (
        argument_lists() as arguments,
        daemon(url, "--health-file", "health.json", **form) as running,
    ):
        env = {**form, "DATABASE_URL": url, "BUSCTL_PORT": str(running.port)}
        async with greeted(running) as client:
            await client.call("text", {"value": ARGUMENT, "more": ARGUMENT})
            await client.call("wait_for", {"path": ARGUMENT, "note": ARGUMENT})
            answer = await client.call("blob", {"size_bytes": 100_000})
            message = answer["claim"]["transaction_id"]
            await client.say("rotate_token", old=TOKEN, new=f"{MARK}-rotated-012345")
            await client.hear_op("rotate_token_res")
            await client.say("nonsense", token=TOKEN)
            await client.hear_op("error")
            await client.send(f'{{"op": "hello", "token": "{TOKEN}"')
            await client.hear_op("error")
        async with asyncio.timeout(10):
            while not (running.folder / "health.json").exists():
                await asyncio.sleep(0.1)
        each = [*ASKING, *HEAVY]
        seen = await asyncio.to_thread(run_all, each, env, tmp_path, message=message)
        shown = await asyncio.to_thread(everything_of, running, dsn)
    assert "exit 0" in seen.texts["config check"]
    assert "exit 0" in seen.texts["call text value=x --json"]
    assert "exit 0" in seen.texts[" ".join(HEAVY[0])]
    assert seen.leaks() == []
    assert shown.leaks() == []
    assert arguments.leaks() == []


@pytest.mark.parametrize("where", [".env", "settings.env"])
def test_in_a_file_of_settings_and_a_token_file(
    dsn: str, planted: dict[str, str], tmp_path: Path, where: str
) -> None:
    url = psycopg.conninfo.make_conninfo(dsn, password=PASSWORD)
    (tmp_path / "state").mkdir(mode=0o700)
    token = tmp_path / "state" / "token"
    token.touch(mode=0o600)
    token.write_text(FILED)
    lines = {**planted, "DATABASE_URL": url, "BUSCTL_STATE_DIR": str(tmp_path / "state")}
    del lines["BUSCTL_TOKEN"]
    lines["BUSCTL_PORT"] = "1"
    lines["BUSCTL_TOKN"] = f"{MARK}-of-a-slip"
    (tmp_path / where).write_text("".join(f'{name}="{value}"\n' for name, value in lines.items()))
    more = [] if where == ".env" else ["--env-file", str(tmp_path / where)]
    with argument_lists() as arguments:
        seen = run_all(FROM_FILES, {}, tmp_path, *more)
    assert "exit 0" in seen.texts[" ".join(["ls", *more])]
    assert seen.leaks() == []
    assert arguments.leaks() == []


def test_when_the_store_is_away_or_its_address_is_wrong(
    planted: dict[str, str], tmp_path: Path
) -> None:
    env = {
        **planted, "BUSCTL_PORT": "1", "BUSCTL_CONNECT_TIMEOUT_SECS": "2",
        "MESSAGE_BUS_FALLBACK_TO_WEBSOCKET": "false",  # with it a daemon starts and waits
    }  # fmt: skip
    seen = run_all(ASKING, {**env, "DATABASE_URL": BAD_URLS[0]}, tmp_path)
    assert "exit 3" in seen.texts["ls"]
    assert seen.leaks() == []
    for url in BAD_URLS[1:]:
        few = run_all(CONFIGURING, {**env, "DATABASE_URL": url}, tmp_path)
        assert few.leaks() == [], url
        assert "exit 0" not in few.texts["ls"]


def test_when_the_settings_themselves_are_wrong(tmp_path: Path) -> None:
    wrong = {
        "BUSCTL_TOKEN": f"{MARK} with spaces", "MESSAGE_BUS_TTL_HOURS": "never",
        "BUSCTL_HOST": "0.0.0.0", "BUSCTL_TOKENS": f"{MARK}-unknown",
        "DATABASE_URL": f"postgresql://u:{PASSWORD}@h:p/d",
        "SUPABASE_DB_URL": f"postgresql://u:{PASSWORD}2@h/d",
    }  # fmt: skip
    seen = run_all(CONFIGURING, wrong, tmp_path)
    assert seen.leaks() == []
    assert "exit 2" in seen.texts["serve"]


def test_a_daemon_beyond_loopback_needs_token_and_tls(tmp_path: Path) -> None:
    away = {"DATABASE_URL": BAD_URLS[0], "BUSCTL_PORT": "0"}
    for host in ("0.0.0.0", "::", "192.0.2.1", "bus.example.org", "127.0.0.1.example.org", "0"):
        for token, remote, missing in (("", "false", "BUSCTL_TOKEN"), ("", "true", "BUSCTL_TOKEN"),
                                       (TOKEN, "false", "TLS")):  # fmt: skip
            env = {**away, "BUSCTL_TOKEN": token, "BUSCTL_ALLOW_REMOTE": remote}
            words = ["serve", "--host", host]
            code, text = ran(words, env, tmp_path)
            assert (code, missing in text) == (2, True), (host, token, remote, text)
            assert MARK not in text
