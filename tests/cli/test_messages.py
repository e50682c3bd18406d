"""put, get, ls, show, pin, unpin, extend and rm: real processes on a real store."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from tests.cli.commands import (
    busctl,
    environment,
    on_terminal,
    peak_kib,
    put,
    start,
    wait_for,
)
from tests.forks.client import SCRIPT

pytestmark = pytest.mark.one_database

MIB = 1 << 20
COMMANDS = [
    "put",
    "get",
    "ls",
    "show",
    "pin",
    "unpin",
    "extend",
    "rm",
    "export",
    "import",
    "tail",
    "watch",
]
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/none"


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def sql(dsn: str, statement: str, *values: object) -> None:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(statement, values)


def unknown_id() -> str:
    """An id of now that names nothing."""
    made = int(time.time() * 1000).to_bytes(6, "big") + b"\x70\x01\x80" + bytes(7)
    return str(UUID(bytes=made))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str) -> None:
    done = busctl(None, command, "--help")
    assert done.code == 0
    assert "Examples:\n" in done.text
    assert f"busctl {command}" in done.text.split("Examples:")[1]
    assert "--json" in done.text
    assert max(map(len, done.text.splitlines())) <= 80


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 5_000_000])
def test_round_trip_of_file_and_stdin(database: str, tmp_path: Path, size: int) -> None:
    payload = noise(size)
    source, target = tmp_path / "in.bin", tmp_path / "out.bin"
    source.write_bytes(payload)
    by_stdin = put(database, payload)
    by_file = busctl(database, "put", source, "--json").json
    assert by_file["checksum"] == hashlib.sha256(payload).hexdigest()
    assert by_file["payload_size_bytes"] == size
    assert busctl(database, "get", by_stdin).out == payload
    got = busctl(database, "get", by_file["transaction_id"], "-o", target, "--json").json
    assert target.read_bytes() == payload
    assert got == {
        "version": 1, "transaction_id": by_file["transaction_id"], "size": size,
        "checksum": by_file["checksum"], "path": str(target), "verified": True,
    }  # fmt: skip


@pytest.mark.alone
def test_labels_of_put_are_seen_by_show_and_ls(database: str, tmp_path: Path) -> None:
    source = tmp_path / "answer.json"
    source.write_text('{"grüße": 1}')
    before = datetime.now(UTC)
    one = busctl(
        database, "put", source, "--type", "watcher_observation", "--tool", "t", "--session", "s",
        "--request", "r", "--owner", "alice", "--metadata", '{"a": [1, null]}', "--ttl", "90m",
    ).text.strip()  # fmt: skip
    shown = busctl(database, "show", one, "--json").json
    envelope = shown["envelope"]
    assert envelope["content_type"] == "application/json"
    assert [envelope[name] for name in ("tool_name", "session_id", "request_id", "owner")] == [
        "t", "s", "r", "alice",
    ]  # fmt: skip
    assert envelope["metadata"] == {"a": [1, None]}
    assert envelope["message_type"] == "watcher_observation"
    left = datetime.fromisoformat(envelope["expires_at"]) - before
    assert timedelta(minutes=89) < left < timedelta(minutes=92)
    assert shown["preview"] == {"kind": "text", "bytes": 13 + 1, "text": '{"grüße": 1}'}
    assert shown["error"] is None
    for option, value in [
        ("--type", "watcher_observation"), ("--tool", "t"), ("--session", "s"),
        ("--request", "r"), ("--owner", "alice"), ("--since", "1h"), ("--status", "pending"),
    ]:  # fmt: skip
        listed = busctl(database, "ls", option, value, "--json").json
        assert [found["transaction_id"] for found in listed["messages"]] == [one], option
    assert busctl(database, "ls", "--until", "1h", "--json").json["messages"] == []
    assert busctl(database, "ls", "--tool", "other", "--json").json["messages"] == []


@pytest.mark.alone
def test_put_is_idempotent_by_id_and_refuses_other_bytes(database: str) -> None:
    one = unknown_id()
    assert put(database, b"same", "--id", one) == one
    assert put(database, b"same", "--id", one) == one
    other = busctl(database, "put", "-", "--id", one, given=b"other")
    assert other.code == 1
    assert one in other.err
    assert len(busctl(database, "ls").text.splitlines()) == 1


def test_put_refuses_other_bytes_than_announced(database: str) -> None:
    good = hashlib.sha256(b"bytes").hexdigest()
    assert busctl(database, "put", "-", "--checksum", good, given=b"bytes").code == 0
    bad = busctl(database, "put", "-", "--checksum", good, given=b"other")
    assert bad.code == 1
    assert "fix:" in bad.err


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_put_compresses_as_told(database: str, compression: str) -> None:
    payload = b"tool answer " * 200_000
    one = put(database, payload, "--compression", compression)
    shown = busctl(database, "show", one, "--json").json["envelope"]
    assert shown["compression"] == compression
    assert (shown["stored_size_bytes"] < len(payload)) == (compression != "none")
    assert busctl(database, "get", one).out == payload


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["put", "/nowhere/file"], "/nowhere/file"),
        (["put", "/"], "/:"),
        (["put", "-", "--ttl", "soon"], "--ttl 'soon'"),
        (["put", "-", "--ttl", "0s"], "--ttl '0s'"),
        (["put", "-", "--metadata", "{"], "--metadata"),
        (["put", "-", "--metadata", "[]"], "--metadata"),
        (["put", "-", "--checksum", "abc"], "--checksum 'abc'"),
        (["put", "-", "--compression", "rar"], "'rar'"),
        (["put", "-", "--id", "1234"], "'1234'"),
        (["get", "nonsense"], "'nonsense'"),
        (["get", "nonsense", "--json"], "--json needs -o"),
        (["get", "x", "--range", "9-1"], "'9-1'"),
        (["get", "x", "--range", "-"], "'-'"),
        (["get", "x", "--range", "0-1", "--offset", "1"], "--range"),
        (["show", "nonsense"], "'nonsense'"),
        (["pin", "nonsense"], "'nonsense'"),
        (["rm", "nonsense", "--yes"], "'nonsense'"),
        (["ls", "--since", "yesterday"], "--since 'yesterday'"),
        (["ls", "--after", "nonsense"], "'nonsense'"),
    ],
)
def test_wrong_command_lines_exit_2_before_the_store_is_asked(args: list[str], said: str) -> None:
    done = busctl(UNREACHABLE, *args)
    assert done.code == 2, done.err
    assert said in done.err
    assert done.out == b""


@pytest.mark.parametrize(
    "args", [["put", "-"], ["get", "ID"], ["ls"], ["show", "ID"], ["pin", "ID"], ["rm", "ID", "-y"]]
)
def test_an_unreachable_store_is_exit_3(args: list[str]) -> None:
    done = busctl(UNREACHABLE, *[unknown_id() if one == "ID" else one for one in args])
    assert done.code == 3, done.err
    assert "fix:" in done.err


def test_missing_and_removed_and_expired_are_exit_1_and_say_which(database: str) -> None:
    missing = unknown_id()
    for command in ("get", "show", "pin"):
        done = busctl(database, command, missing)
        assert (done.code, missing in done.err, "fix:" in done.err) == (1, True, True)
        assert "ever stored" in done.err
    one = put(database, b"short life")
    sql(database, "update bus.message_bus set expires_at = now() - interval '1 hour'")
    expired = busctl(database, "get", one)
    assert expired.code == 1
    assert f"{one} expired at" in expired.err
    shown = busctl(database, "show", one, "--json")
    assert shown.code == 0
    assert shown.json["envelope"]["status"] == "expired"
    assert shown.json["preview"]["text"] == "short life"
    assert busctl(database, "rm", one, "--yes").code == 0
    gone = busctl(database, "show", one, "--json")
    assert gone.code == 1
    assert gone.json["envelope"] is None
    assert [event["kind"] for event in gone.json["events"]] == ["stored", "removed"]
    assert gone.json["error"]["code"] == "EXPIRED"
    assert "removed" in gone.json["error"]["message"]


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        (["--range", "0-99"], 0, 100),
        (["--range", "2500000-"], 2_500_000, None),
        (["--range", "-50"], -50, None),
        (["-r", "1048570-1048585"], 1_048_570, 1_048_586),
        (["--range", "2499990-9999999"], 2_499_990, None),
        (["--offset", "7", "--length", "3"], 7, 10),
        (["--length", "0"], 0, 0),
    ],
)
def test_a_range_is_those_bytes(
    database: str, span: list[str], first: int, last: int | None
) -> None:
    payload = noise(2_500_100)
    one = put(database, payload)
    assert busctl(database, "get", one, *span).out == payload[first:last]


def test_a_range_past_the_end_is_refused(database: str, tmp_path: Path) -> None:
    one = put(database, b"0123456789")
    done = busctl(database, "get", one, "--range", "10-", "-o", tmp_path / "f", "--json")
    assert done.code == 2
    told = json.loads(done.err)["error"]
    assert (told["code"], told["transaction_id"]) == ("INVALID_ARGUMENT", one)
    assert "10 bytes" in told["message"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("args", [[], ["--range", "2200000-2200009"]])
def test_a_corrupt_chunk_is_named_and_leaves_no_file(
    database: str, tmp_path: Path, args: list[str]
) -> None:
    one = put(database, noise(3_500_000))
    sql(
        database,
        "update bus.message_chunk set body = set_byte(body, 9, get_byte(body, 9) # 1) "
        "where seq = 2",
    )
    target = tmp_path / "f"
    target.write_bytes(b"as it was")
    done = busctl(database, "get", one, "-o", target, *args)
    assert done.code == 1
    assert f"{one} is corrupt: chunk 2 (bytes 2097152-3145728)" in done.err
    assert target.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [target]
    assert busctl(database, "get", one, "--range", "0-9").code == 0
    seen = busctl(database, "show", one, "--json").json
    assert "corrupt" in [event["kind"] for event in seen["events"]]


def test_a_corrupt_row_is_shown_without_preview(database: str) -> None:
    one = put(database, b"some text")
    sql(database, "update bus.message_bus set payload = 'Some text'")
    shown = busctl(database, "show", one, "--json")
    assert shown.code == 1
    assert shown.json["preview"] is None
    assert shown.json["envelope"]["transaction_id"] == one
    assert shown.json["error"]["code"] == "CORRUPT"


def test_looking_is_no_delivery(database: str) -> None:
    one = put(database, noise(2_000_000))
    busctl(database, "show", one)
    assert busctl(database, "show", one, "--json").json["envelope"]["retrieved_count"] == 0
    busctl(database, "get", one)
    seen = busctl(database, "show", one, "--json").json
    assert seen["envelope"]["retrieved_count"] == 1
    assert [event["kind"] for event in seen["events"]] == ["stored", "delivered"]
    assert seen["preview"]["kind"] == "hex"


def test_get_writes_through_links_and_into_devices(database: str, tmp_path: Path) -> None:
    one = put(database, b"payload")
    real, link, fifo = tmp_path / "real", tmp_path / "link", tmp_path / "fifo"
    real.write_bytes(b"")
    real.chmod(0o640)
    link.symlink_to(real)
    assert busctl(database, "get", one, "-o", link).code == 0
    assert link.is_symlink()
    assert real.read_bytes() == b"payload"
    assert real.stat().st_mode & 0o777 == 0o640
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE)
    assert busctl(database, "get", one, "-o", fifo).code == 0
    assert reader.communicate(timeout=30)[0] == b"payload"
    assert fifo.is_fifo()
    assert busctl(database, "get", one, "-o", "/dev/stdout").out == b"payload"
    assert busctl(database, "get", one, "-o", tmp_path).code == 2
    (tmp_path / "round").symlink_to("round")
    done = busctl(database, "get", one, "-o", tmp_path / "round")
    assert done.code == 2 and "leads back to itself" in done.err
    assert busctl(database, "get", one, "-o", tmp_path / "no" / "f").code == 2


def test_a_full_disk_is_told_with_the_id(database: str) -> None:
    one = put(database, noise(5_000_000))
    done = busctl(database, "get", one, "-o", "/dev/full")
    assert done.code == 1
    assert one in done.err
    assert "fix:" in done.err
    done = busctl(database, "get", one, "-o", "/dev/full", "--json")
    assert done.code == 1
    assert json.loads(done.err)["error"]["transaction_id"] == one


def test_a_temporary_folder_that_is_full_is_named(database: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"ulimit -f 2048; exec {SCRIPT} put -"], input=noise(8 * MIB),
        env=environment(database) | {"TMPDIR": str(tmp_path)}, capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"temporary files ({tmp_path}) took no more of the payload" in done.stderr.decode()
    assert b"TMPDIR" in done.stderr


def test_what_an_error_quotes_does_not_steer_the_terminal(database: str, tmp_path: Path) -> None:
    done = busctl(database, "put", tmp_path / "no\x1b[2Jsuch")
    assert "no\\x1b[2Jsuch: No such file or directory" in done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize(
    "args",
    [["put", "f", "--id", ""], ["put", "f", "--ttl", ""], ["put", "f", "--checksum", ""],
     ["ls", "--since", ""], ["ls", "--until", ""], ["import", "f", "--ttl", ""]],
)  # fmt: skip
def test_a_variable_that_was_not_set_is_no_default(database: str, args: list[str]) -> None:
    """`rm $(busctl ls --until "$THEN" | cut -f1)` must not come to mean all messages."""
    done = busctl(database, *args)
    assert done.code == 2
    assert "''" in done.err


def test_a_file_without_a_name_is_told_as_that(database: str) -> None:
    done = busctl(database, "put", "")
    assert done.code == 2
    assert "empty" in done.err


@pytest.mark.parametrize(
    "args",
    [["ls", "--status", "odd"], ["ls", "--nonsense"], ["put"], ["nonsense"], ["store", "nonsense"]],
)
def test_with_json_a_wrong_command_line_is_json_too(args: list[str]) -> None:
    done = busctl(UNREACHABLE, *args, "--json")
    assert done.code == 2
    assert done.out == b""
    assert json.loads(done.err)["error"]["code"] == "CONFIGURATION"


def test_a_reader_that_leaves_is_no_failure_to_talk_about(database: str) -> None:
    one = put(database, noise(5_000_000))
    child = start(database, "get", one)
    assert child.stdout is not None
    assert child.stderr is not None
    assert len(child.stdout.read(10)) == 10
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait(timeout=60) == 141
    child.stderr.close()


@pytest.mark.alone
def test_interrupting_a_put_that_waits_for_stdin_stores_nothing(database: str) -> None:
    child = start(database, "put", "-", stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(noise(3 * MIB))
    child.stdin.flush()
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 130
    assert child.stderr is not None
    assert child.stderr.read() == b"busctl: interrupted.\n"
    for stream in (child.stdin, child.stdout, child.stderr):
        assert stream is not None
        stream.close()
    assert busctl(database, "ls").out == b""


def test_interrupting_a_get_that_nobody_reads_ends_it(database: str) -> None:
    one = put(database, noise(5_000_000))
    child = start(database, "get", one)
    assert child.stdout is not None
    child.stdout.read(1)
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 130
    child.communicate()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_interrupting_a_get_leaves_no_half_file(
    database: str, tmp_path: Path, number: int, code: int
) -> None:
    one = put(database, noise(3_000_000))
    with psycopg.connect(database) as blocker:
        blocker.execute("lock table bus.message_chunk in access exclusive mode")
        child = start(database, "get", one, "-o", tmp_path / "out")
        wait_for(lambda: any(tmp_path.iterdir()))
        child.send_signal(number)
        assert child.wait(timeout=60) == code
        child.communicate()
    assert list(tmp_path.iterdir()) == []


def test_binary_bytes_are_kept_from_a_terminal(database: str) -> None:
    binary, text = put(database, b"\x00\x01binary"), put(database, b"plain text\n")
    code, shown = on_terminal(database, "get", binary)
    assert code == 2
    assert "-o FILE" in shown
    assert on_terminal(database, "get", binary, "--force")[0] == 0
    assert on_terminal(database, "get", text) == (0, "plain text\n")


@pytest.mark.alone
def test_ls_pages_and_never_cuts_an_id(database: str) -> None:
    ids = [put(database, b"x", "--tool", "a-tool-with-a-long-name-" * 4) for _ in range(3)]
    first = busctl(database, "ls", "--limit", "2", "--json").json
    assert [one["transaction_id"] for one in first["messages"]] == [ids[2], ids[1]]
    assert first["next"] == ids[1]
    rest = busctl(database, "ls", "--limit", "2", "--after", first["next"], "--json").json
    assert [one["transaction_id"] for one in rest["messages"]] == [ids[0]]
    assert rest["next"] is None
    oldest = busctl(database, "ls", "--oldest")
    assert [line.split("\t")[0] for line in oldest.text.splitlines()] == ids
    assert {len(line.split("\t")) for line in oldest.text.splitlines()} == {11}
    for columns in (40, 80, 200):
        _, shown = on_terminal(database, "ls", columns=columns)
        assert all(one in shown for one in ids)
        assert columns < 80 or max(map(len, shown.splitlines())) <= columns


@pytest.mark.alone
def test_names_cannot_steer_a_terminal(database: str) -> None:
    one = put(database, b"\x1b[2Jtext", "--tool", "evil\x1b[2J\tname\n")
    assert b"\x1b" not in busctl(database, "ls").out
    assert len(busctl(database, "ls").text.splitlines()) == 1
    assert b"\x1b" not in busctl(database, "show", one).out
    assert "evil\\x1b[2J" in on_terminal(database, "ls")[1]


@pytest.mark.alone
def test_expired_messages_are_listed_as_such(database: str) -> None:
    one, other = put(database, b"1"), put(database, b"2")
    sql(
        database,
        "update bus.message_bus set expires_at = now() - interval '1 h' where transaction_id = %s",
        one,
    )
    expired = busctl(database, "ls", "--status", "expired", "--json").json["messages"]
    assert [message["transaction_id"] for message in expired] == [one]
    pending = busctl(database, "ls", "--status", "pending", "--json").json["messages"]
    assert [message["transaction_id"] for message in pending] == [other]


def test_pin_unpin_and_extend(database: str) -> None:
    one, missing = put(database, b"1"), unknown_id()
    pinned = busctl(database, "pin", one, missing, "--json")
    assert pinned.code == 1
    good, bad = pinned.json["outcomes"]
    assert (good["transaction_id"], good["ok"], good["pinned"]) == (one, True, True)
    assert (bad["transaction_id"], bad["ok"], bad["error"]["code"]) == (missing, False, "MISSING")
    sql(database, "update bus.message_bus set expires_at = now() - interval '1 hour'")
    assert busctl(database, "get", one).out == b"1"
    assert busctl(database, "unpin", one).code == 0
    assert busctl(database, "get", one).out == b"1"
    before = datetime.now(UTC)
    extended = busctl(database, "extend", one, "--ttl", "7d", "--json").json["outcomes"][0]
    left = datetime.fromisoformat(extended["expires_at"]) - before
    assert timedelta(days=6, hours=23) < left < timedelta(days=7, hours=1)
    assert extended["pinned"] is False
    kinds = [one["kind"] for one in busctl(database, "show", one, "--json").json["events"]]
    assert kinds == [
        "stored", "pinned", "delivered", "unpinned", "extended", "delivered", "extended",
    ]  # fmt: skip


@pytest.mark.alone
def test_rm_needs_a_yes(database: str) -> None:
    ids = [put(database, text) for text in (b"1", b"2", b"3")]
    refused = busctl(database, "rm", ids[0])
    assert refused.code == 2
    assert "--yes" in refused.err
    dry = busctl(database, "rm", "--dry-run", *ids)
    assert dry.code == 0
    assert dry.text.count("would be removed") == 3
    assert on_terminal(database, "rm", ids[0], typed=b"n\n")[0] == 2
    assert len(busctl(database, "ls").text.splitlines()) == 3
    assert on_terminal(database, "rm", ids[0], typed=b"y\n")[0] == 0
    done = busctl(database, "rm", ids[0], *ids[1:], "--yes", "--json")
    assert done.code == 1
    assert [one["ok"] for one in done.json["outcomes"]] == [False, True, True]
    assert busctl(database, "ls").out == b""


@pytest.mark.alone
def test_memory_stays_bounded(database: str, tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"x")
    large.write_bytes(noise(60_000_000))
    idle = peak_kib(database, str(small), "put", "-")
    assert peak_kib(database, str(large), "put", "-") - idle <= 32 * 1024
    one = busctl(database, "ls", "--limit", "1").text.split("\t")[0]
    assert peak_kib(database, os.devnull, "get", one) - idle <= 32 * 1024
    target = tmp_path / "out"
    assert peak_kib(database, os.devnull, "get", one, "-o", target) - idle <= 32 * 1024
    assert target.read_bytes() == large.read_bytes()


def test_progress_is_drawn_on_a_terminal_only(database: str, tmp_path: Path) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(bytes(8_000_000))
    code, shown = on_terminal(database, "put", source)
    assert code == 0
    assert "MB" in shown
    assert busctl(database, "put", source).err == ""
