"""Several tokens on one daemon: who may what, who reads what, and how a token ends."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from busctl.adapters.postgres.tokens import PostgresTokens
from busctl.connect import Bus
from busctl.core.envelope import Labels
from busctl.ops.tokens import NewToken, create
from tests.adapters.bus_sql import sql
from tests.e2e.daemons import TOKEN, Client, Running, daemon, environment, raw
from tests.forks.client import run


def busctl(dsn: str, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run(words, text=True, env=environment(dsn, **settings), timeout=60)


async def make(bus: Bus, name: str, scopes: str, ttl: timedelta | None = None) -> NewToken:
    return await create(PostgresTokens(bus.store.inner), name, scopes, ttl)  # type: ignore[arg-type]  # the PostgreSQL store behind the port


@pytest.fixture
def running(database: str, tmp_path: Path) -> Iterator[Running]:
    state = str(tmp_path / "state")
    with daemon(database, BUSCTL_TOKEN_CACHE_SECS="1", BUSCTL_STATE_DIR=state) as started:
        yield started


@asynccontextmanager
async def greeted(running: Running, token: str, **hello: Any) -> AsyncIterator[Client]:
    async with raw(running) as client:
        await client.say("hello", token=token, accepts=["claim"], **hello)
        answer = await client.hear()
        assert answer["ok"] is True, answer
        yield client


async def refused(running: Running, token: str) -> int:
    async with raw(running) as client:
        await client.say("hello", token=token)
        assert (await client.hear())["ok"] is False
        return await client.closed()


def redeem(running: Running, token: str, wanted: object) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"{running.url}/messages/{wanted}", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


async def test_who_may_what(database: str, bus: Bus, running: Running) -> None:
    alice = (await make(bus, "alice", "call,read")).secret
    bob = (await make(bus, "bob", "read,call")).secret
    caller = (await make(bus, "alice", "call")).secret
    admin = (await make(bus, "root", "admin")).secret
    async with greeted(running, alice, session_id="s") as client:
        answer = await client.call("blob", {"size_bytes": 100_000}, request_id="r")
        wanted = answer["claim"]["transaction_id"]
        wanted_id = UUID(wanted)
        assert (await bus.stat(wanted_id)).labels.owner == "alice"
        # The same session and request of somebody else is another request.
    async with greeted(running, bob, session_id="s") as client:
        other = await client.call("blob", {"size_bytes": 100_000}, request_id="r")
        assert other["claim"]["transaction_id"] != wanted
        opened, payload = await client.fetch(wanted)
        assert (opened["error"]["code"], payload) == ("DENIED", b"")
        await client.say("rotate_token", old=TOKEN, new="x" * 32)
        assert "admin" in (await client.hear_op("rotate_token_res"))["error"]
    # A new session of the same principal may redeem what an earlier one was told.
    async with greeted(running, alice) as client:
        assert len((await client.fetch(wanted))[1]) == 100_000
    async with greeted(running, caller) as client:
        assert "outputs" in await client.call("text", {"value": "x"})
        opened, _ = await client.fetch(wanted)
        assert opened["error"]["code"] == "DENIED"
        assert "lacks the scope read" in opened["error"]["message"]
    async with greeted(running, admin) as client:
        assert len((await client.fetch(wanted))[1]) == 100_000
    for token, status in ((alice, 200), (bob, 403), (caller, 403), (admin, 200), (TOKEN, 200)):
        assert (await asyncio.to_thread(redeem, running, token, wanted))[0] == status
    denied = await sql(
        database, "select transaction_id, detail from bus.message_event where kind = 'denied'"
    )
    assert [row[1] for row in denied if row[0] == wanted_id] == [{"principal": "bob"}] * 2
    scopes = [row[1] for row in denied if row[0] != wanted_id]
    assert scopes == [{"principal": "alice", "scope": "read", "id": wanted}] * 2


async def test_a_reader_may_not_call(database: str, bus: Bus, running: Running) -> None:
    reader = (await make(bus, "alice", "read")).secret
    mine = await bus.put(b"for alice", Labels(owner="alice"))
    async with greeted(running, reader) as client:
        await client.say("call_tool", name="text", arguments={"value": "x"}, request_id="r")
        assert (await client.hear_op("call_tool_ack"))["accepted"] is False
        answer = await client.hear_op("call_tool_res", "r")
        assert answer["error"]["code"] == "DENIED"
        assert (await client.fetch(str(mine.transaction_id)))[1] == b"for alice"
    events = await sql(database, "select detail from bus.message_event where kind = 'denied'")
    assert events == [({"principal": "alice", "scope": "call", "tool": "text"},)]


async def test_a_token_that_is_revoked_or_expires_is_refused(
    database: str, bus: Bus, running: Running
) -> None:
    kept, lost = await make(bus, "alice", "call,read"), await make(bus, "bob", "call")
    short = await make(bus, "carol", "read", timedelta(seconds=2))
    async with greeted(running, lost.secret) as client, greeted(running, kept.secret) as other:
        done = busctl(database, "token", "revoke", lost.token.token_id)
        assert done.returncode == 0, done.stderr
        # Open sessions end too, within BUSCTL_TOKEN_CACHE_SECS; nobody else's do.
        assert await client.closed() == 4003
        assert "outputs" in await other.call("text", {"value": "x"})
    await asyncio.sleep(1.1)
    for token in (lost.secret, short.secret, "bct_0123456789ab_" + "x" * 43):
        assert await refused(running, token) == 4003
        status, _ = await asyncio.to_thread(redeem, running, token, lost.token.token_id)
        assert status == 401
    assert await refused(running, kept.secret[:-1] + "-") == 4003
    listed = json.loads(busctl(database, "token", "list", "--json").stdout)["tokens"]
    states = {one["id"]: (one["state"], one["last_used_at"] is not None) for one in listed}
    assert states == {
        kept.token.token_id: ("active", True), lost.token.token_id: ("revoked", True),
        short.token.token_id: ("expired", False),
    }  # fmt: skip
    everything = busctl(database, "token", "list").stdout + json.dumps(listed) + running.log
    rows = str(await sql(database, "select * from bus.token"))
    for one in (kept, lost, short):
        assert one.secret not in everything + rows
        assert one.secret.split("_", 2)[2] not in everything + rows


async def test_known_tokens_are_good_while_the_store_is_away(
    database: str, bus: Bus, running: Running
) -> None:
    known, unknown = await make(bus, "alice", "call,read"), await make(bus, "bob", "call")
    other = await make(bus, "carol", "call,read")
    async with greeted(running, known.secret), greeted(running, other.secret):
        pass
    name = (await sql(database, "select current_database()"))[0][0]
    admin = database.replace(name, "postgres")
    await sql(admin, f"alter database {name} allow_connections false")
    await sql(
        admin, "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", name
    )
    await asyncio.sleep(1.1)
    async with greeted(running, known.secret) as client:
        await client.say("list_tools")
        assert (await client.hear_op("list_tools_res"))["tools"]
        answer = await client.call("blob", {"size_bytes": 100_000})
        spooled = answer["claim"]["transaction_id"]
    # What waits in the spool has its owner too.
    async with greeted(running, known.secret) as client:
        assert len((await client.fetch(spooled))[1]) == 100_000
    async with greeted(running, other.secret) as client:
        assert (await client.fetch(spooled))[0]["error"]["code"] == "DENIED"
    for made, status in ((known, 200), (other, 403)):
        assert (await asyncio.to_thread(redeem, running, made.secret, spooled))[0] == status
    assert await refused(running, unknown.secret) == 1013
    status, body = await asyncio.to_thread(redeem, running, unknown.secret, known.token.token_id)
    assert (status, json.loads(body)["error"]["code"]) == (503, "STORE_UNAVAILABLE")


async def test_a_bus_that_is_switched_off_knows_the_daemons_own_token_alone(database: str) -> None:
    with daemon(database, MESSAGE_BUS_ENABLED="false") as running:
        assert await refused(running, "bct_0123456789ab_" + "x" * 43) == 1013
        async with greeted(running, TOKEN) as client:
            assert "outputs" in await client.call("text", {"value": "x"})


def test_the_command_line(database: str) -> None:
    done = busctl(
        database,
        "token",
        "create",
        "--principal",
        "ci",
        "--scope",
        "call",
        "--scope",
        "read",
        "--ttl",
        "90d",
    )
    assert done.returncode == 0
    secret = done.stdout.strip()
    assert done.stdout == f"{secret}\n"
    assert secret.startswith("bct_")
    assert secret not in done.stderr
    assert "It is not shown again" in done.stderr
    listed = busctl(database, "token", "list").stdout.split("\t")
    assert listed[1:4] == ["ci", "call,read", "active"]
    for words, said in (
        (("create", "--principal", "Ци", "--scope", "call"), "no name for a principal"),
        (("create", "--principal", "ci", "--scope", "write"), "is no scope"),
        (("create", "--principal", "ci", "--scope", "call", "--ttl", "soon"), "not a duration"),
        (("revoke", "0123456789ab"), "There is no token"),
        (("revoke", "nonsense"), "not the id of a token"),
        (("revoke", secret), "A token was given"),
    ):
        wrong = busctl(database, "token", *words)
        assert wrong.returncode == 2, wrong.stderr
        assert said in wrong.stderr
        assert secret not in wrong.stderr


async def test_who_is_turned_away_is_counted_and_one_event_a_minute(
    database: str, running: Running
) -> None:
    """As many tries as somebody likes: the journal has one line of them, with how many."""
    for _ in range(3):
        assert await refused(running, "a-wrong-token-0123456789") == 4003
    assert redeem(running, "a-wrong-token-0123456789", UUID(int=7 << 76))[0] == 401
    request = urllib.request.Request(
        f"{running.url}/ui/login", data=b"token=a-wrong-token", headers={"Origin": running.url}
    )
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=30)
    with urllib.request.urlopen(f"{running.url}/metrics", timeout=30) as reply:
        metrics = reply.read().decode()
    for via, count in (("websocket", 3), ("http", 1), ("dashboard", 1)):
        assert f'busctl_refused_total{{reason="unauthorized",via="{via}"}} {count}.0' in metrics
    query = "select detail from bus.system_event where kind = 'clients_refused' order by seq"
    while not (told := await sql(database, query)):
        await asyncio.sleep(0.1)
    for _ in range(2):
        await refused(running, "another-wrong-token-0123456789")
    first = sum(detail["clients"] for (detail,) in told)
    assert running.stop() == 0
    (one,), (rest,) = await sql(database, query)
    assert one["clients"] == first
    assert one["clients"] + rest["clients"] == 7
    assert rest["reasons"].get("websocket unauthorized", 0) >= 2
    assert "wrong-token" not in str((one, rest)) + running.log
