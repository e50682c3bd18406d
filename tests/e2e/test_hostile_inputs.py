"""What an attacker would write into ids, labels, headers and JSON, and where it must not show."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard

from busctl.adapters import embedded
from busctl.connect import Bus
from busctl.core import archive
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Labels
from busctl.core.errors import BackupDamaged
from tests.cli.commands import busctl
from tests.conftest import make_database
from tests.e2e.daemons import TOKEN, Running, daemon, session

DEEP = "[" * 100_000
FORGED = "x\n2026-11-26T00:00:00Z [info] all is well\x1b[2J\x1b]0;owned\x07"


@pytest.fixture(scope="module")
def dsn(server: embedded.Server) -> str:
    return asyncio.run(make_database(server, f"hostile_{os.getpid()}"))


@pytest.fixture(scope="module")
def running(dsn: str) -> Iterator[Running]:
    with daemon(dsn, "--log-format", "text", MESSAGE_BUS_LOG_ALL_OPERATIONS="true") as started:
        yield started


def ask(running: Running, head: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", running.port), timeout=15) as plain:
        found = b""
        with suppress(ConnectionError):  # what is refused is not read to its end
            plain.sendall(head)
        with suppress(ConnectionError):
            while piece := plain.recv(65536):
                found += piece
        return found


def get(running: Running, path: bytes, *more: bytes) -> bytes:
    lines = [b"GET " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close",
             b"Authorization: Bearer " + TOKEN.encode(), *more]  # fmt: skip
    return ask(running, b"\r\n".join(lines) + b"\r\n\r\n")


async def test_labels_neither_forge_log_lines_nor_steer_terminals(running: Running) -> None:
    async with session(running, session_id=FORGED) as client:
        answer = await client.call("text", {"value": "x"}, request_id=FORGED)
        assert "outputs" in answer
        await client.say("call_tool", name=FORGED, request_id="r")
        assert (await client.hear_op("call_tool_res", "r"))["error"]["code"] == "TOOL_NOT_FOUND"
        await client.say("nonsense" + FORGED)
        assert "Unknown op" in (await client.hear_op("error"))["message"]
    assert "all is well" in running.log
    assert not {"\x1b", "\x07"} & set(running.log)
    for line in running.log.splitlines():
        assert not line.startswith("2026-11-26T00:00:00Z")


async def test_a_content_type_is_no_place_for_headers(dsn: str, running: Running) -> None:
    async with Bus.connect(Settings(database_url=dsn)) as bus:
        for evil in ("text/plain\r\nX-Evil: 1", "text/plain\n\nbody", "text/\u0440lain", "\x1b/x"):
            claim = await bus.put(b"bytes", Labels(content_type=evil))
            reply = await asyncio.to_thread(
                get, running, b"/messages/" + str(claim.transaction_id).encode()
            )
            head, _, body = reply.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert b"x-evil" not in head.lower()
            assert b"content-type: application/octet-stream" in head.lower()
            assert body == b"bytes"


@pytest.mark.parametrize(
    "path",
    [
        b"/messages/../../etc/passwd", b"/messages/..%2f..%2fetc%2fpasswd", b"/messages/%00",
        b"/messages/%2e%2e", b"/messages//etc/passwd", b"/messages/" + b"9" * 4000,
        b"/messages/01890000-0000-7000-8000-00000000000%EF%BC%91", b"/messages/%0d%0aX-Evil:1",
    ],
)  # fmt: skip
def test_an_id_is_no_path(running: Running, path: bytes) -> None:
    reply = get(running, path)
    assert reply.split(b" ", 2)[1] in (b"400", b"404"), reply
    assert b"root:" not in reply
    assert b"x-evil" not in reply.partition(b"\r\n\r\n")[0].lower()


def test_malformed_requests_get_no_answer_from_within(running: Running) -> None:
    for head in (
        b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n\r\n", b"GET /livez HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
    ):  # fmt: skip
        reply = ask(running, head)
        assert b"Traceback" not in reply
        assert reply == b"" or reply.split(b" ", 2)[1][:1] == b"4", (head[:80], reply)


def tar(*entries: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as out:
        for name, body in entries:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            out.addfile(info, io.BytesIO(body))
    return packed.getvalue()


HEADER = (archive.HEADER_NAME, b'{"format": "busctl-archive", "format_version": 1}')
RECORD = (
    b'{"transaction_id": "01890000-0000-7000-8000-000000000001", "payload_size_bytes": 1e400, '
    b'"checksum": "00", "created_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"'
    b', "message_type": "error", "content_type": "a/b", "owner": "o"}'
)


def test_json_bombs_and_archives_of_attackers_are_named_errors(dsn: str, tmp_path: Path) -> None:
    tars = {
        "deep": tar((archive.HEADER_NAME, DEEP.encode())),
        "number": tar((archive.HEADER_NAME, b"1" * 100_000)),
        "infinite": tar(HEADER, ("messages/x.json", RECORD)),
        "traversal": tar(HEADER, ("messages/../../etc/passwd", b"x")),
    }
    for name, packed in tars.items():
        path = tmp_path / name
        path.write_bytes(packed)
        done = busctl(dsn, "import", path)
        assert done.code == 1, (name, done.err)
        assert "archive" in done.err
    metadata = busctl(dsn, "put", "-", "--metadata", DEEP, given=b"x")
    assert (metadata.code, "nested too deeply" in metadata.err) == (2, True)
    for wanted in ("../../etc/passwd", "bus://../x", "\x1b[2J", "０" * 32):
        done = busctl(dsn, "get", wanted)
        assert done.code == 2
        assert "\x1b" not in done.err


def test_a_backup_that_would_fill_the_memory_is_refused(open_folder: Path) -> None:
    bomb = zstandard.ZstdCompressor().compress(tar(("busctl-store.json", bytes(200_000_000))))
    assert len(bomb) < 100_000
    backup = open_folder / "bomb.backup"
    backup.write_bytes(bomb)
    with pytest.raises(BackupDamaged, match="claims 200,000,000 bytes"):
        embedded.restore(open_folder / "bombed", backup)
