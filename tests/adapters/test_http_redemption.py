"""Redemption over HTTP on a real socket: codings, ranges, conditions, and each way to fail."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import http.client
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.client import HTTPResponse, IncompleteRead
from typing import Any
from uuid import UUID

import pytest
import zstandard

from busctl.adapters import asgi, metrics
from busctl.adapters.mcp_front.http import McpEndpoint
from busctl.adapters.tokenfile import Guard
from busctl.adapters.uvicorn_server import HttpServer
from busctl.cli import serve_desk
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import ClaimCheck, Labels
from busctl.ops.serve import Daemon
from busctl.ops.serve.gateway import McpGateway
from busctl.ops.tools import PythonTools
from tests.adapters.bus_sql import sql

pytestmark = pytest.mark.one_database

TOKEN = "test-token-0123456789"
TEXT = ("0123456789 some text that packs well\n" * 80_000).encode()
"""Nearly 3 MB: three chunks."""


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found


@dataclass
class Site:
    """A daemon's HTTP side in this process, and requests to it from a thread."""

    bus: Bus
    port: int
    dsn: str
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {TOKEN}"})

    async def ask(self, path: str, method: str = "GET", **headers: str | None) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {k: v for k, v in {**self.headers, **named}.items() if v is not None}
        return await asyncio.to_thread(self._ask, path, method, sent)

    async def redeem(self, claim: ClaimCheck, method: str = "GET", **headers: str | None) -> Reply:
        return await self.ask(f"/messages/{claim.transaction_id}", method, **headers)

    def _ask(self, path: str, method: str, headers: dict[str, str]) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True, skip_host=True)
            for name, value in {"Host": f"localhost:{self.port}", **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
            response: HTTPResponse = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()


@pytest.fixture
async def site(database: str) -> AsyncIterator[Site]:
    settings = Settings(database_url=database, token=TOKEN, port=0)
    async with Bus.connect(settings) as bus:
        guard, meter = Guard(settings), metrics.Metrics("test")
        daemon = Daemon(bus, PythonTools([]), guard, meter, name="test")
        health = asgi.Health(
            daemon.health, lambda: (meter.render(), metrics.CONTENT_TYPE), daemon.refused
        )
        app = asgi.make_app(
            settings, daemon.converse, bus, guard, meter, health, serve_desk.desk(daemon, bus),
            McpEndpoint(McpGateway(daemon), guard, settings, bus.clock, "test"),
        )  # fmt: skip
        server = HttpServer(settings)
        await server.start(app)
        try:
            yield Site(bus, server.port, database)
        finally:
            await server.stop()


async def put(site: Site, payload: bytes, compression: str = "zstd") -> ClaimCheck:
    settings = site.bus.settings.model_copy(update={"compression": compression})
    with_it = Bus(site.bus.store, settings, site.bus.clock)
    return await with_it.put(payload, Labels(content_type="text/plain"))


PAYLOADS = (b"", b"hello", TEXT[:900_000], TEXT)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
async def test_without_a_coding_the_payload_comes_as_it_is(site: Site, compression: str) -> None:
    for payload in PAYLOADS:
        await check_plain(site, payload, compression)


async def check_plain(site: Site, payload: bytes, compression: str) -> None:
    claim = await put(site, payload, compression)
    reply = await site.redeem(claim)
    assert reply.status == 200
    assert reply.body == payload
    digest = hashlib.sha256(payload).digest()
    expected = {
        "Content-Length": str(len(payload)),
        "Content-Type": "text/plain",
        "Content-Disposition": f'attachment; filename="{claim.transaction_id}"',
        "ETag": f'"{digest.hex()}"',
        "Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
        "X-Busctl-Checksum": digest.hex(),
        "X-Busctl-Size": str(len(payload)),
        "Accept-Ranges": "bytes",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Content-Encoding": None,
    }
    assert {name: reply.headers[name] for name in expected} == expected


def unpacked(coding: str, body: bytes) -> bytes:
    if coding == "gzip":
        return gzip.decompress(body)
    with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
        return reader.read()


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("payload", [TEXT[:900_000], TEXT], ids=["row", "chunks"])
async def test_stored_frames_are_passed_on_to_a_client_that_takes_them(
    site: Site, payload: bytes, coding: str
) -> None:
    claim = await put(site, payload, coding)
    reply = await site.redeem(claim, Accept_Encoding=f"br, {coding};q=0.5")
    assert reply.status == 200
    assert reply.headers["Content-Encoding"] == coding
    assert len(reply.body) < len(payload) / 4
    assert unpacked(coding, reply.body) == payload
    digest = hashlib.sha256(reply.body).digest()
    assert reply.headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
    assert reply.headers["ETag"] == f'"{digest.hex()}-{coding}"'
    assert reply.headers["X-Busctl-Checksum"] == claim.checksum
    assert reply.headers["X-Busctl-Size"] == str(len(payload))


NOT_TAKEN = ["", "identity", "gzip", "zstd;q=0", "*;q=0", "br", "nonsense;;", "zstd;q=0.0, *"]


async def test_a_coding_that_the_client_does_not_take_is_undone(site: Site) -> None:
    claim = await put(site, TEXT, "zstd")
    for accepted in NOT_TAKEN:
        reply = await site.redeem(claim, Accept_Encoding=accepted)
        assert reply.headers["Content-Encoding"] is None, accepted
        assert reply.body == TEXT, accepted


SIZE = len(TEXT)
RANGES = {
    "bytes=0-0": (0, 1),
    "bytes=5-9": (5, 10),
    "bytes=1048570-1048580": (1048570, 1048581),
    "bytes=2000000-": (2_000_000, SIZE),
    "bytes=-7": (SIZE - 7, SIZE),
    f"bytes=-{SIZE + 5}": (0, SIZE),
    f"Bytes=10-{SIZE + 10**29}": (10, SIZE),
    f"bytes={SIZE - 1}-": (SIZE - 1, SIZE),
}


async def test_a_range_is_of_the_raw_bytes(site: Site) -> None:
    claim = await put(site, TEXT, "zstd")
    for asked, (start, stop) in RANGES.items():
        reply = await site.redeem(claim, Range=asked, Accept_Encoding="zstd")
        assert reply.status == 206, asked
        assert reply.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
        assert reply.headers["Content-Encoding"] is None, asked
        assert reply.headers["ETag"] == f'"{claim.checksum}"', asked
        assert reply.body == TEXT[start:stop], asked


async def test_what_is_no_single_range_gives_the_whole(site: Site) -> None:
    claim = await put(site, b"0123456789")
    for asked in ("bytes=5-4", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes"):
        reply = await site.redeem(claim, Range=asked)
        assert (reply.status, reply.body) == (200, b"0123456789"), asked


async def test_a_range_outside_the_payload_is_416(site: Site) -> None:
    full, empty = await put(site, b"0123456789"), await put(site, b"")
    beyond = "bytes=" + "9" * 30 + "-"
    for claim, asked in (
        (full, "bytes=10-"), (full, "bytes=-0"), (empty, "bytes=0-"), (full, beyond),
    ):  # fmt: skip
        reply = await site.redeem(claim, Range=asked)
        assert reply.status == 416, asked
        assert reply.headers["Content-Range"] == f"bytes */{claim.payload_size_bytes}"
        assert reply.error["transaction_id"] == str(claim.transaction_id)


async def test_conditions(site: Site) -> None:
    claim = await put(site, TEXT, "zstd")
    plain = (await site.redeem(claim, "HEAD")).headers["ETag"]
    coded = (await site.redeem(claim, "HEAD", Accept_Encoding="zstd")).headers["ETag"]
    assert plain != coded
    for known in (plain, f"W/{plain}", f'"x", {plain}', "*"):
        reply = await site.redeem(claim, If_None_Match=known)
        assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", plain)
    assert (await site.redeem(claim, If_None_Match=coded)).status == 200
    assert (await site.redeem(claim, If_None_Match=coded, Accept_Encoding="zstd")).status == 304
    part = await site.redeem(claim, Range="bytes=0-4", If_Range=plain)
    assert (part.status, part.body) == (206, TEXT[:5])
    for other in (coded, '"other"', "Sun, 22 Nov 2026 20:00:00 GMT", f"W/{plain}"):
        whole = await site.redeem(claim, Range="bytes=0-4", If_Range=other)
        assert (whole.status, whole.body) == (200, TEXT)
    for known in (plain, f'"x", {plain}', "*"):
        assert (await site.redeem(claim, If_Match=known)).body == TEXT
    for other in (coded, '"other"', f"W/{plain}"):
        refused = await site.redeem(claim, If_Match=other)
        assert (refused.status, refused.error["code"]) == (412, "PRECONDITION_FAILED")
        assert refused.error["transaction_id"] == str(claim.transaction_id)


async def test_head_tells_what_get_would(site: Site) -> None:
    claim = await put(site, TEXT, "zstd")
    for headers in ({}, {"Accept_Encoding": "zstd"}, {"Range": "bytes=3-8"}):
        got = await site.redeem(claim, **headers)
        head = await site.redeem(claim, "HEAD", **headers)
        assert (head.status, head.body) == (got.status, b"")
        for name in ("Content-Length", "ETag", "Repr-Digest", "Content-Range", "Content-Encoding"):
            assert head.headers[name] == got.headers[name], name


async def test_whose_token_is_missing_or_wrong_is_401(site: Site) -> None:
    claim = await put(site, b"secret")
    for shown in (None, "Bearer wrong", "Basic abc", f"Bearer {TOKEN}x", "Bearer", TOKEN):
        reply = await site.redeem(claim, Authorization=shown)
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert reply.error["code"] == "UNAUTHORIZED"
    assert (await site.ask(f"/messages/{claim.transaction_id}?token={TOKEN}",
                           Authorization=None)).status == 401  # fmt: skip


async def test_each_way_to_fail_has_its_status(site: Site) -> None:
    expired = await put(site, b"x")
    await sql(site.dsn, "update bus.message_bus set expires_at = now() - interval '1 s' "
              "where transaction_id = %s", expired.transaction_id)  # fmt: skip
    missing = site.bus.clock.new_id()
    wanted = {
        f"/messages/{missing}": (404, "MISSING", str(missing)),
        f"/messages/{expired.transaction_id}": (410, "EXPIRED", str(expired.transaction_id)),
        "/messages/nonsense": (400, "INVALID_ID", None),
    }
    for path, (status, code, named) in wanted.items():
        reply = await site.ask(path)
        found = (reply.status, reply.error["code"], reply.error["transaction_id"])
        assert found == (status, code, named)
        assert reply.error["message"]
        assert reply.error["remedy"]


async def damage(site: Site, transaction_id: UUID, seq: int) -> None:
    await sql(
        site.dsn,
        "update bus.message_chunk set body = set_byte(body, 100, "
        "(get_byte(body, 100) + 1) %% 256) where transaction_id = %s and seq = %s",
        transaction_id, seq,
    )  # fmt: skip


async def test_a_corrupt_row_is_500_and_names_the_message(site: Site) -> None:
    claim = await put(site, random.Random(1).randbytes(2000), "none")
    await sql(site.dsn, "update bus.message_bus set payload = set_byte(payload, 9, "
              "(get_byte(payload, 9) + 1) %% 256) where transaction_id = %s",
              claim.transaction_id)  # fmt: skip
    reply = await site.redeem(claim)
    assert reply.status == 500
    assert reply.error["code"] == "CORRUPT"
    assert reply.error["transaction_id"] == str(claim.transaction_id)


@pytest.mark.parametrize("accepted", ["identity", "zstd"])
async def test_corrupt_in_mid_stream_never_ends_cleanly(site: Site, accepted: str) -> None:
    payload = random.Random(2).randbytes(200_000).hex().encode() * 20
    claim = await put(site, payload, "zstd")
    await damage(site, claim.transaction_id, 5)
    with pytest.raises(IncompleteRead):
        await site.redeem(claim, Accept_Encoding=accepted)


async def test_hosts_and_origins(site: Site) -> None:
    port = site.port
    allowed = [f"localhost:{port}", f"127.0.0.1:{port}", "localhost", f"[::1]:{port}"]
    for host in allowed:
        assert (await site.ask("/livez", Host=host)).status == 200
    for host in ("evil.example", f"evil.example:{port}", "", "localhost.evil.example", "[::1"):
        assert (await site.ask("/livez", Host=host)).status == 403
    assert (await site.ask("/livez", Origin=f"http://127.0.0.1:{port}")).status == 200
    for origin in ("null", "https://evil.example", "http://localhost:1", "http://[", "file://"):
        assert (await site.ask("/livez", Origin=origin)).status == 403


async def test_probes_and_metrics(site: Site) -> None:
    claim = await put(site, b"12345")
    await site.redeem(claim)
    assert (await site.ask("/livez", Authorization=None)).body == b"ok\n"
    assert (await site.ask("/readyz", Authorization=None)).status == 200
    verbose = json.loads((await site.ask("/readyz?verbose")).body)
    assert (verbose["ok"], verbose["store"]) == (True, "ok")
    text = (await site.ask("/metrics", Authorization=None)).body.decode()
    assert 'busctl_fetched_bytes_total{via="http"} 5.0' in text
    assert (await site.ask("/nowhere")).status == 404
    assert (await site.ask("/livez", "POST")).status == 405


@pytest.mark.alone
async def test_readyz_says_when_the_schema_has_gone(site: Site) -> None:
    await sql(site.dsn, "drop schema bus cascade")
    reply = await site.ask("/readyz")
    assert reply.status == 503
    assert reply.body.startswith(b"not ready: store unavailable: This database has no bus schema")
    assert (await site.ask("/livez")).status == 200
    reply = await site.ask(f"/messages/{site.bus.clock.new_id()}")
    assert reply.status == 503
    assert reply.headers["Retry-After"]
