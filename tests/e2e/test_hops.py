"""What is recorded of a payload at each hop, and who changed it when somebody did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from websockets.asyncio.client import connect as dial
from websockets.asyncio.server import ServerConnection, serve

from busctl import BusClient
from busctl.adapters import embedded
from busctl.adapters.http_redemption import HttpRedemption
from busctl.adapters.postgres.inspection import PostgresInspection
from busctl.adapters.postgres.store import PostgresStore
from busctl.connect import Bus
from busctl.core import samples
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Event, Labels
from busctl.core.errors import MessageCorrupt
from busctl.ops.fsck import Checked, Scope, fsck
from busctl.ops.trace import trace_of
from tests.e2e.client_daemon import Served, serving

Change = Callable[[str | bytes], str | bytes]
LARGE = 3_000_000


@pytest.fixture(scope="module")
def served(server: embedded.Server, open_folder: Path) -> Iterator[Served]:
    with serving(server, open_folder / "hops", "hops") as daemon:
        yield daemon


def settings(served: Served) -> Settings:
    return Settings(database_url=served.dsn)


async def trail(served: Served, transaction_id: Any, *kinds: str) -> list[Event]:
    """The events of a message, once those kinds are among them."""
    async with Bus.connect(settings(served)) as bus:
        async with asyncio.timeout(20):
            while True:
                events = list(await bus.events(transaction_id))
                if set(kinds) <= {one.kind for one in events}:
                    return events
                await asyncio.sleep(0.05)


@asynccontextmanager
async def between(served: Served, change: Change) -> AsyncIterator[str]:
    """A WebSocket proxy that changes what the daemon says; its address."""
    target = served.url.replace("http", "ws", 1) + "/"

    async def pass_on(client: ServerConnection) -> None:
        async with dial(target, max_size=None, compression=None) as daemon:

            async def down() -> None:
                async for message in daemon:
                    await client.send(change(message))

            falling = asyncio.create_task(down())
            async for message in client:
                await daemon.send(message)
            falling.cancel()

    async with serve(pass_on, "127.0.0.1", 0, max_size=None, compression=None) as proxy:
        host, port = proxy.sockets[0].getsockname()
        yield f"ws://{host}:{port}/"


def turned(message: str | bytes) -> str | bytes:
    """One bit of one byte of a part, or a letter of an answer, is another one."""
    if isinstance(message, str):
        return message.replace("hello hops", "hello hopz")
    return message[:1000] + bytes([message[1000] ^ 1]) + message[1001:]


def measured(events: list[Event], kind: str, hop: str) -> list[tuple[Any, Any]]:
    return [
        (one.detail.get("size"), one.detail.get("checksum"))
        for one in events if one.kind == kind and one.hop == hop
    ]  # fmt: skip


async def test_an_inline_answer_is_measured_at_every_hop(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        result = await client.call("echo", {"text": "hello hops"})
    seen = (10, sha256(b"hello hops").hexdigest())
    events = await trail(served, result.transaction_id, "produced", "received")
    for kind, hop in (("produced", "tool"), ("accepted", "daemon"), ("stored", "store"),
                      ("delivered", "wire"), ("received", "client")):  # fmt: skip
        assert measured(events, kind, hop) == [seen], kind
    (wire,) = [one for one in events if one.hop == "wire"]
    assert wire.detail["via"] == "inline"


async def test_a_claim_is_measured_when_it_is_fetched(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        result = await client.call("generate", {"size_bytes": LARGE, "kind": "json"})
        assert len(await client.fetch(result.transaction_id, 5, 7)) == 7
    payload = samples.sample("json", LARGE)
    seen = (LARGE, sha256(payload).hexdigest())
    events = await trail(served, result.transaction_id, "produced", "received")
    assert measured(events, "produced", "tool") == [seen]
    assert measured(events, "delivered", "daemon")[0] == seen
    assert [one.detail["via"] for one in events if one.kind == "sent"] == [
        "claim", "fetch", "fetch",
    ]  # fmt: skip
    assert measured(events, "sent", "wire")[1] == seen
    piece = (7, sha256(payload[5:12]).hexdigest())
    assert measured(events, "received", "client") == [seen, piece]
    assert [one.detail.get("offset") for one in events if one.kind == "received"] == [None, 5]


async def test_http_says_what_it_counted_and_no_digest(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        claim = await client.call_claim("generate", {"size_bytes": LARGE, "kind": "random"})
    async with HttpRedemption.connect(served.url, served.token) as http:
        assert len(await http.get(claim.transaction_id)) == LARGE
    events = await trail(served, claim.transaction_id, "sent", "delivered")
    (sent,) = [one for one in events if one.kind == "sent" and one.detail["via"] == "http"]
    assert sent.detail == {"via": "http", "size": LARGE}


@pytest.mark.parametrize("tool", ["echo", "generate"])
async def test_bytes_changed_on_the_socket_are_reported(served: Served, tool: str) -> None:
    arguments: dict[str, Any] = {"text": "hello hops"} if tool == "echo" else {"size_bytes": LARGE}
    async with between(served, turned) as url, BusClient.connect(url, served.token) as client:
        with pytest.raises(MessageCorrupt) as caught:
            await client.call(tool, arguments)
    assert caught.value.transaction_id is not None
    events = await trail(served, caught.value.transaction_id, "received")
    (produced,) = measured(events, "produced", "tool")
    (received,) = [one.detail for one in events if one.kind == "received"]
    assert received["ok"] is False
    assert received["size"] == produced[0]
    assert received["checksum"] != produced[1]


async def test_a_client_reports_only_what_it_was_sent(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        known = await client.call("echo", {"text": "mine"})
        for _ in range(5):  # one of them is for the answer that was sent
            client._report(known.transaction_id, 4, known.checksum, ok=True)
    async with BusClient.connect(served.url, served.token) as other:
        other._report(known.transaction_id, 1, "0" * 64, ok=False)
        await other._send_receipts()
        assert (await other.call("echo", {"text": "again"})).payload == b"again"
    events = await trail(served, known.transaction_id, "received")
    assert [one.detail["ok"] for one in events if one.kind == "received"] == [True]


# --- answers that tools have cut ---------------------------------------------------------------

SUSPECT: list[tuple[str, dict[str, Any], str]] = [
    ("mirror", {"value": "a line\n... [truncated]"}, "truncated_by_marker"),
    ("mirror", {"value": '{"rows": [1, 2, {"a": "b'}, "json_ends_early"),
    ("mirror", {"value": '{"rows": [' + '"a", ' * 300_000}, "json_ends_early"),
    ("dripping", {"text": '[{"a": 1}, {"b":'}, "json_ends_early"),
    ("declare", {"size": 10, "declared": 20}, "size_differs_from_declared"),
]


@pytest.mark.parametrize(("tool", "arguments", "kind"), SUSPECT)
async def test_a_cut_answer_is_delivered_and_suspected(
    served: Served, tool: str, arguments: dict[str, Any], kind: str
) -> None:
    before = await counted(served, kind)
    async with BusClient.connect(served.url, served.token) as client:
        result = await client.call(tool, arguments)
    text = arguments.get("value") or arguments.get("text")
    assert text is None or result.payload == text.encode()
    events = await trail(served, result.transaction_id, "truncation_suspected")
    (noted,) = [one for one in events if one.kind == "truncation_suspected"]
    assert (noted.hop, noted.detail["kind"]) == ("daemon", kind)
    assert await counted(served, kind) == before + 1
    async with Bus.connect(settings(served)) as bus:
        assert isinstance(bus.store.inner, PostgresStore)
        found = await trace_of(bus, PostgresInspection(bus.store.inner), result.transaction_id)
    assert [one.detail["kind"] for one in found.suspicions] == [kind]
    assert found.differs is None


async def test_whole_answers_are_not_suspected(served: Served) -> None:
    whole = ["plain", "It says [truncated] in here.", '{"a": [1, 2]}', '[{"b": "]"}]\n']
    async with BusClient.connect(served.url, served.token) as client:
        results = [await client.call("mirror", {"value": value}) for value in whole]
        results.append(await client.call("mirror", {"value": {"rows": [{"a": "b["}] * 50_000}}))
        results.append(await client.call("declare", {"size": 10, "declared": 10}))
    for result in results:
        events = await trail(served, result.transaction_id, "produced")
        assert "truncation_suspected" not in {one.kind for one in events}


async def test_fsck_finds_cut_answers_and_says_which(served: Served) -> None:
    async with Bus.connect(settings(served)) as bus:
        cut = (await bus.put("see below\n<output truncated>")).transaction_id
        large = samples.sample("json", LARGE)[:-1]
        early = (await bus.put(large, Labels(content_type="application/json"))).transaction_id
        assert isinstance(bus.store.inner, PostgresStore)
        done = Checked()
        scope = Scope(cut, UUID(int=2**128 - 1), after=UUID(int=cut.int - 1), content=True)
        await fsck(bus, PostgresInspection(bus.store.inner), scope, done)
    assert [(one.kind, one.subject) for one in done.findings] == [
        ("truncated_by_marker", str(cut)), ("json_ends_early", str(early)),
    ]  # fmt: skip


async def counted(served: Served, kind: str) -> float:
    """What the daemon's metric says."""
    async with httpx2.AsyncClient() as http:
        text = (await http.get(f"{served.url}/metrics")).text
    wanted = f'busctl_truncation_suspected_total{{kind="{kind}"}}'
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(wanted))
