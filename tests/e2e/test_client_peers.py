"""BusClient against daemons that lie, stop or talk nonsense: never shorter bytes, always a name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from websockets.asyncio.server import ServerConnection, serve

from busctl import BusClient
from busctl.adapters import websocket_fetch
from busctl.core.errors import BusctlError, DaemonUnreachable, MessageCorrupt, ProtocolError
from busctl.core.protocol import part

ID = UUID("01a204f4-50d5-7838-a5d9-fff9886ace23")
PAYLOAD = bytes(range(256)) * 100

Peer = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


@asynccontextmanager
async def talking_to(peer: Peer) -> AsyncIterator[BusClient]:
    """A client of a daemon that greets as it should and leaves the rest to `peer`."""

    async def converse(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(json.dumps({"op": "hello_ack", "ok": True, "session_id": "s"}))
        async for message in connection:
            await peer(connection, json.loads(message))

    async with serve(converse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with BusClient.connect(f"ws://127.0.0.1:{port}", "any") as client:
            yield client


def claim(**changes: object) -> dict[str, object]:
    return {
        "transaction_id": str(ID), "payload_size_bytes": len(PAYLOAD),
        "checksum": sha256(PAYLOAD).hexdigest(), "compression": "none",
        "expires_at": "2026-11-24T00:00:00+00:00", "preview": "",
    } | changes  # fmt: skip


def fetch_peer(
    parts: list[tuple[int, bytes]], head: dict[str, object] | None = None, checksum: str = ""
) -> Peer:
    """Answers a fetch with these parts; `checksum` "" is the right one of what is sent."""

    async def peer(connection: ServerConnection, frame: dict[str, Any]) -> None:
        begin = {**claim(), "offset": 0, "length": len(PAYLOAD)} | (head or {})
        await connection.send(
            json.dumps({"op": "fetch_res", "request_id": frame["request_id"], **begin})
        )
        for offset, raw in parts:
            await connection.send(part(ID, offset, raw))
        found = checksum or sha256(b"".join(raw for _, raw in parts)).hexdigest()
        await connection.send(
            json.dumps({"op": "fetch_end", "request_id": frame["request_id"], "checksum": found})
        )

    return peer


async def test_an_honest_peer_is_believed() -> None:
    async with talking_to(fetch_peer([(0, PAYLOAD[:10]), (10, PAYLOAD[10:])])) as client:
        assert await client.fetch(ID) == PAYLOAD


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        (fetch_peer([(0, PAYLOAD[:-1])]), "end at 25,599, not at 25,600"),
        (fetch_peer([(0, PAYLOAD[:10]), (11, PAYLOAD[11:])]), "from 11 came in place of 10"),
        (fetch_peer([(5, PAYLOAD[5:])]), "from 5 came in place of 0"),
        (fetch_peer([(0, PAYLOAD), (len(PAYLOAD), b"x")]), "end at 25,601"),
        (fetch_peer([(0, b"\x01" + PAYLOAD[1:])]), "the SHA-256"),
        (fetch_peer([(0, PAYLOAD)], checksum="0" * 64), "the SHA-256"),
        (fetch_peer([(0, PAYLOAD[:9])], {"length": 9}), "9 bytes from 0 on were promised"),
        (fetch_peer([]), "end at 0"),
    ],
)
async def test_bytes_that_differ_are_never_returned(peer: Peer, said: str, tmp_path: Path) -> None:
    async with talking_to(peer) as client:
        with pytest.raises(MessageCorrupt, match=said) as failure:
            await client.fetch(ID)
        assert failure.value.transaction_id == ID
        with pytest.raises(MessageCorrupt):
            await client.fetch_to(ID, tmp_path / "answer")
    assert list(tmp_path.iterdir()) == []


async def test_a_claim_is_held_to_what_it_said() -> None:
    async def peer(connection: ServerConnection, frame: dict[str, Any]) -> None:
        if frame["op"] == "call_tool":
            told = claim(checksum="a" * 64)
            answer = {"op": "call_tool_res", "request_id": frame["request_id"], "claim": told}
            await connection.send(json.dumps(answer))
        else:
            await fetch_peer([(0, PAYLOAD)])(connection, frame)

    async with talking_to(peer) as client:
        with pytest.raises(MessageCorrupt, match="not that of the claim"):
            await client.call("any")


@pytest.mark.parametrize("checksum", ["b" * 64, None])
async def test_a_whole_answer_is_held_to_its_digest(checksum: str | None) -> None:
    async def peer(connection: ServerConnection, frame: dict[str, Any]) -> None:
        answer = {
            "op": "call_tool_res", "request_id": frame["request_id"], "transaction_id": str(ID),
            "checksum": checksum, "outputs": [{"type": "text", "text": "hello"}],
        }  # fmt: skip
        await connection.send(json.dumps(answer))

    async with talking_to(peer) as client:
        with pytest.raises(MessageCorrupt, match=str(ID)):
            await client.call("any")


@pytest.mark.parametrize(
    "answer",
    [
        {"outputs": []},
        {"outputs": [{"type": "blob", "data": "%%%"}], "transaction_id": str(ID), "checksum": ""},
        {"outputs": [{"type": "odd"}]},
        {"claim": {"transaction_id": "no"}},
        {"error": {"code": "EXEC_ERROR"}},
        {},
    ],
)
async def test_answers_that_cannot_be_read(answer: dict[str, object]) -> None:
    async def peer(connection: ServerConnection, frame: dict[str, Any]) -> None:
        shape = {"op": "call_tool_res", "request_id": frame["request_id"], **answer}
        await connection.send(json.dumps(shape))

    async with talking_to(peer) as client:
        with pytest.raises(ProtocolError):
            await client.call("any")


@pytest.mark.parametrize("frame", ["nonsense", "[]", '{"op": 1}', b"short", '{"op": "progress"}'])
async def test_nonsense_ends_what_waits_with_a_name(frame: str | bytes) -> None:
    async def peer(connection: ServerConnection, _: dict[str, Any]) -> None:
        await connection.send(frame)

    async with talking_to(peer) as client:
        with pytest.raises(ProtocolError):
            await client.call("any")
        with pytest.raises(ProtocolError):
            await client.call("any")


async def test_a_lost_connection_names_what_waited() -> None:
    async def peer(connection: ServerConnection, frame: dict[str, Any]) -> None:
        if frame["op"] == "fetch":
            await connection.close(1012, "restart")

    async with talking_to(peer) as client:
        calls = [asyncio.create_task(client.call("any", request_id=f"r-{n}")) for n in range(2)]
        await asyncio.sleep(0.05)
        fetching = asyncio.create_task(client.fetch(ID))
        errors = await asyncio.gather(*calls, fetching, return_exceptions=True)
    for error in errors:
        assert isinstance(error, DaemonUnreachable)
        for said in ("1012 restart", "request r-0", "request r-1", f"message {ID}"):
            assert said in error.message


async def test_a_connection_cut_in_mid_fetch_is_no_shorter_answer() -> None:
    async def peer(connection: ServerConnection, frame: dict[str, Any]) -> None:
        shape = {"request_id": frame["request_id"], **claim(), "offset": 0, "length": len(PAYLOAD)}
        await connection.send(json.dumps({"op": "fetch_res", **shape}))
        await connection.send(part(ID, 0, PAYLOAD[:100]))
        connection.transport.abort()

    async with talking_to(peer) as client:
        with pytest.raises(DaemonUnreachable, match=str(ID)):
            await client.fetch(ID)


async def test_a_fetch_that_stalls_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_fetch, "STALL_SECS", 0.1)

    async def peer(connection: ServerConnection, frame: dict[str, Any]) -> None:
        pass

    async with talking_to(peer) as client:
        with pytest.raises(DaemonUnreachable, match="Nothing more of message"):
            await client.fetch(ID)


async def test_a_frame_over_our_limit() -> None:
    async def converse(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(json.dumps({"op": "hello_ack", "ok": True, "session_id": "s"}))
        await connection.recv()
        await connection.send("x" * 5000)

    async with serve(converse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"ws://127.0.0.1:{port}"
        async with BusClient.connect(url, "any", max_message_bytes=4000) as client:
            with pytest.raises(DaemonUnreachable, match="1009"):
                await client.call("any")


async def test_a_server_that_is_no_daemon() -> None:
    async def converse(connection: ServerConnection) -> None:
        await connection.send(b"\x00")
        await connection.wait_closed()

    async with serve(converse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BusctlError, match="binary frame"):
            async with BusClient.connect(f"ws://127.0.0.1:{port}", "any"):
                pass
