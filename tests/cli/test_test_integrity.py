"""`busctl test-integrity` as a process, on a real store, with the daemon it starts."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.adapters.bus_sql import sql
from tests.forks.client import run

SMALL = ("--sizes", "1KB,70000", "--contents", "json,hostile,surrogates")


def integrity(
    dsn: str, folder: Path, *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    return run(
        ["test-integrity", *arguments], cwd=folder, text=True, timeout=110,
        env={**inherited, "DATABASE_URL": dsn, "BUSCTL_STATE_DIR": str(folder), **settings},
    )  # fmt: skip


def shape(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["version"] == 1
    return found


async def test_every_path_alone_and_at_once(database: str, tmp_path: Path) -> None:
    done = integrity(database, tmp_path, *SMALL, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = shape(done)
    rows = found["comparisons"]
    assert found["checked"] == len(rows)
    assert {row["path"] for row in rows} == {
        "store", "websocket", "claim", "http identity", "http zstd",
    }  # fmt: skip
    assert {row["concurrency"] for row in rows} == {1, 8}
    assert {row["verdict"] for row in rows} == {"identical"}
    assert all(row["stored_size_bytes"] for row in rows)
    assert found["compared_bytes"] == sum(row["size_bytes"] for row in rows)
    assert await sql(database, "select count(*) from bus.message_bus") == [(0,)]


async def test_the_table_and_the_summary(database: str, tmp_path: Path) -> None:
    arguments = ("--sizes", "1KB", "--contents", "json", "--paths", "store,claim", "--keep")
    done = integrity(database, tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    head, store, claim, summary = done.stdout.splitlines()
    assert head.split()[:4] == ["path", "content", "size", "stored"]
    assert store.split()[:4] == ["store", "json", "1", "KB"]
    assert claim.split()[-3:] == ["identical", "identical", "×8"]
    assert summary == "18 comparisons, 18,000 bytes identical."
    assert done.stderr == "18 test messages stay in the store; they expire by themselves.\n"
    expiry = "select count(*), max(expires_at - created_at) <= '1 hour' from bus.message_bus"
    assert await sql(database, expiry) == [(18, True)]


async def test_quiet_says_nothing_when_all_is_well(database: str, tmp_path: Path) -> None:
    done = integrity(database, tmp_path, *SMALL, "--paths", "store", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_an_answer_over_the_frame_limit(database: str, tmp_path: Path) -> None:
    arguments = ("--sizes", "30MB", "--contents", "random", "--paths", "websocket")
    done = integrity(database, tmp_path, *arguments, "--concurrency", "1", "--json")
    assert done.returncode == 0, done.stdout
    (row,) = shape(done)["comparisons"]
    assert row["verdict"] == "identical"
    assert "refused by name, redeemed by id" in row["note"]


async def test_find_max_stops_at_the_configured_maximum(database: str, tmp_path: Path) -> None:
    arguments = ("--sizes", "1MB", "--contents", "random", "--paths", "store,claim")
    done = integrity(
        database, tmp_path, *arguments, "--concurrency", "1", "--find-max", "--json",
        MESSAGE_BUS_MAX_PAYLOAD_MB="5",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    for limit in shape(done)["limits"]:
        assert (limit["largest_bytes"], limit["failed_bytes"]) == (5_000_000, None)
        assert "MESSAGE_BUS_MAX_PAYLOAD_MB" in limit["stopped_by"]


async def test_bytes_that_the_store_changes(database: str, tmp_path: Path) -> None:
    """A trigger plays the disk that turns a bit; without verification the bytes come back."""
    await sql(
        database,
        "create function public.turn() returns trigger language plpgsql as $$ begin "
        "new.payload := set_byte(new.payload, 4321, 255 - get_byte(new.payload, 4321)); "
        "return new; end $$",
    )
    await sql(
        database,
        "create trigger turn before insert on bus.message_bus for each row "
        "execute function public.turn()",
    )
    arguments = ("--sizes", "9KB", "--contents", "random", "--concurrency", "1")
    done = integrity(
        database, tmp_path, *arguments, "--paths", "store", MESSAGE_BUS_CHECKSUM_ENABLED="false"
    )
    assert done.returncode == 1
    assert "first difference at byte 4,321; expected 9,000 bytes, got 9,000" in done.stdout
    done = integrity(database, tmp_path, *arguments, "--paths", "store,claim,http", "--json")
    assert done.returncode == 1
    found = shape(done)
    assert {row["verdict"] for row in found["comparisons"]} == {"failed"}
    assert all(row["note"].startswith("CORRUPT") for row in found["comparisons"])
    assert len(found["findings"]) == 4


async def test_a_store_that_is_away(tmp_path: Path) -> None:
    done = integrity("postgresql://someone:s3cr3t-pw@127.0.0.1:1/none", tmp_path, *SMALL, "--json")
    assert done.returncode == 3
    found = shape(done)
    assert (found["checked"], found["exit_code"]) == (0, 3)
    assert {row["verdict"] for row in found["comparisons"]} == {"not tried"}
    assert all(row["note"] for row in found["comparisons"])
    assert "s3cr3t-pw" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


async def test_a_daemon_that_is_away(database: str, tmp_path: Path) -> None:
    done = integrity(
        database, tmp_path, *SMALL, "--url", "http://127.0.0.1:1", BUSCTL_TOKEN="x" * 32
    )
    assert done.returncode == 3
    assert "not tried  claim, 6 comparisons: DAEMON_UNREACHABLE" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "18 comparisons, 639,000 bytes identical, 24 not tried."
    )


async def test_a_command_line_that_is_wrong(database: str, tmp_path: Path) -> None:
    for arguments, said in [
        (("--sizes", "1XB"), "1XB"),
        (("--sizes", "200MB"), "MESSAGE_BUS_MAX_PAYLOAD_MB"),
        (("--contents", "nonsense"), "json, text, random"),
        (("--paths", "store,pigeon"), "store, websocket, claim, http"),
        (("--max-bytes", "1MB"), "--find-max"),
    ]:
        done = integrity(database, tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_sizes_that_are_not_taken_here_are_not_asked_for(database: str, tmp_path: Path) -> None:
    some = ("--contents", "json", "--paths", "store", "--concurrency", "1", "--json")
    done = integrity(database, tmp_path, *some, MESSAGE_BUS_MAX_PAYLOAD_MB="0.0123")
    assert done.returncode == 0
    assert [row["size_bytes"] for row in shape(done)["comparisons"]] == [1_000, 10_000, 12_300]
    done = integrity(database, tmp_path, *some[:-1], MESSAGE_BUS_MAX_PAYLOAD_MB="0.0123")
    assert done.stderr.startswith("Up to 12,300 bytes, the largest payload here")
    done = integrity(database, tmp_path, *some, "--sizes", "1MB", MESSAGE_BUS_MAX_PAYLOAD_MB="0.01")
    assert done.returncode == 2
