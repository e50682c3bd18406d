"""export and import as processes: pipes, interruption, JSON, exit codes, memory."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from busctl.adapters import embedded
from tests.cli.commands import (
    busctl,
    environment,
    on_terminal,
    peak_kib,
    put,
    start,
    wait_for,
)
from tests.conftest import make_database
from tests.forks.client import SCRIPT


@pytest.fixture
async def elsewhere(server: embedded.Server, database: str) -> str:
    """The DSN of a second store."""
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    return await make_database(server, f"{name}_elsewhere")


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_export_and_import_between_two_stores(
    database: str, elsewhere: str, tmp_path: Path
) -> None:
    payloads = {put(database, noise(size), "--tool", "t"): size for size in (0, 5, 2_000_000)}
    put(database, b"of another tool", "--tool", "u")
    target = tmp_path / "a.tar"
    done = busctl(database, "export", target, "--tool", "t", "--json")
    assert done.code == 0
    assert done.json == {
        "version": 1, "exported": 3, "resumed": 0, "failed": 0, "payload_bytes": 2_000_005,
        "archive_bytes": target.stat().st_size, "path": str(target), "problems": [],
    }  # fmt: skip
    assert target.stat().st_mode & 0o777 == 0o600
    for store in (None, "postgresql://nobody@127.0.0.1:1/none"):
        dry = busctl(store, "import", target, "--dry-run", "--json")
        assert dry.code == 0
        assert (dry.json["verified"], dry.json["imported"], dry.json["error"]) == (3, 0, None)
    arrived = busctl(elsewhere, "import", target, "--json")
    assert arrived.code == 0
    assert arrived.json["imported"] == 3
    again = busctl(elsewhere, "import", target)
    assert again.code == 0
    assert "3 there already" in again.err
    for one, size in payloads.items():
        assert busctl(elsewhere, "get", one).out == noise(size)


def test_pipes_both_ways(database: str, elsewhere: str) -> None:
    one = put(database, noise(3_000_000))
    piped = busctl(database, "export", "-")
    assert piped.code == 0
    arrived = busctl(elsewhere, "import", "-", "--json", given=piped.out)
    assert arrived.json["imported"] == 1
    assert busctl(elsewhere, "get", one).out == noise(3_000_000)
    cut = busctl(elsewhere, "import", "-", "--json", given=piped.out[:-2_000])
    assert cut.code == 1
    assert cut.json["error"]["code"] == "ARCHIVE"
    assert "truncated" in cut.json["error"]["message"]


def test_a_corrupt_message_ends_a_piped_export_by_name(database: str) -> None:
    one = put(database, noise(3_000_000))
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(
            "update bus.message_chunk set body = set_byte(body, 9, get_byte(body, 9) # 1) "
            "where seq = 2"
        )
    done = busctl(database, "export", "-")
    assert done.code == 1
    assert f"{one} is corrupt: chunk 2" in done.err
    assert "Export to a file" in done.err
    assert busctl(None, "import", "-", "--dry-run", given=done.out).code == 1


def stands_still(path: Path, *, above: int) -> bool:
    """Whether it has all of the first message, and waits for the second."""
    size = path.stat().st_size
    time.sleep(0.2)
    return size > above and path.stat().st_size == size


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_export_goes_on(database: str, tmp_path: Path, end: signal.Signals) -> None:
    first, second = put(database, noise(200_000)), put(database, noise(3_000_000))
    target = tmp_path / "a.tar"
    partial = tmp_path / "a.tar.partial"
    with psycopg.connect(database) as blocker:
        blocker.execute("lock table bus.message_chunk in access exclusive mode")
        child = start(database, "export", target)
        wait_for(lambda: partial.exists() and stands_still(partial, above=200_000))
        child.send_signal(end)
        _, said = child.communicate(timeout=60)
        assert child.returncode == (130 if end is signal.SIGINT else -end)
        assert end is signal.SIGKILL or b"the same command goes on" in said
    assert [path.name for path in tmp_path.iterdir()] == [partial.name]
    other = busctl(database, "export", target, first)
    assert other.code == 2
    assert "something else" in other.err
    done = busctl(database, "export", target, "--json").json
    assert (done["resumed"], done["exported"]) == (1, 1)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    body = target.read_bytes()
    assert first.encode() in body
    assert second.encode() in body
    assert busctl(None, "import", target, "--dry-run", "--json").json["verified"] == 2


def test_an_interrupted_import_stores_nothing_twice(
    database: str, elsewhere: str, tmp_path: Path
) -> None:
    first, second = put(database, noise(200_000)), put(database, noise(3_000_000))
    target = tmp_path / "a.tar"
    assert busctl(database, "export", target).code == 0
    child = start(elsewhere, "import", "-", stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(target.read_bytes()[:2_000_000])
    child.stdin.flush()
    wait_for(lambda: first in busctl(elsewhere, "ls").text)
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 130
    child.communicate()
    assert second not in busctl(elsewhere, "ls").text
    again = busctl(elsewhere, "import", target, "--json").json
    assert (again["imported"], again["already"]) == (1, 1)
    assert busctl(elsewhere, "get", second).out == noise(3_000_000)


def test_expired_messages_are_named_and_get_a_new_life(
    database: str, elsewhere: str, tmp_path: Path
) -> None:
    one = put(database, b"x")
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("update bus.message_bus set expires_at = now() - interval '1 minute'")
    target = tmp_path / "a.tar"
    assert busctl(database, "export", target).code == 0
    refused = busctl(elsewhere, "import", target)
    assert refused.code == 1
    assert f"{one} expired at" in refused.err
    assert "--ttl" in refused.err
    assert "1 past their time" in refused.err
    shape = busctl(elsewhere, "import", target, "--json").json
    assert [problem["transaction_id"] for problem in shape["problems"]] == [one]
    assert busctl(elsewhere, "import", target, "--ttl", "1h").code == 0
    assert busctl(elsewhere, "get", one).out == b"x"


def test_wrong_command_lines(database: str, tmp_path: Path) -> None:
    one = put(database, b"x")
    wrong: list[tuple[list[object], str]] = [
        (["import", tmp_path / "none.tar"], "none.tar"),
        (["import", tmp_path], str(tmp_path)),
        (["import", "-", "--ttl", "never"], "--ttl 'never'"),
        (["export", tmp_path], "is a folder"),
        (["export", tmp_path / "no" / "a.tar"], "does not exist"),
        (["export", "/dev/null"], "no regular file"),
        (["export", "-", "--json"], "--json needs a FILE"),
        (["export", tmp_path / "a.tar", one, "--tool", "t"], "ids or filters"),
        (["export", tmp_path / "a.tar", "nonsense"], "'nonsense'"),
    ]
    for args, said in wrong:
        done = busctl(database, *args)
        assert done.code == 2, (args, done.err)
        assert said in done.err
    assert on_terminal(database, "export", "-")[0] == 2
    assert list(tmp_path.iterdir()) == []
    unreachable = "postgresql://nobody@127.0.0.1:1/none"
    assert busctl(unreachable, "export", tmp_path / "a.tar").code == 3
    assert busctl(unreachable, "import", "/dev/null").code == 3
    assert busctl(None, "import", __file__, "--dry-run").code == 1
    missing = one[:-12] + "0" * 12
    assert busctl(database, "export", tmp_path / "a.tar", one, missing).code == 1


def test_memory_stays_bounded(database: str, elsewhere: str, tmp_path: Path) -> None:
    small, large, target = tmp_path / "small", tmp_path / "large", tmp_path / "a.tar"
    small.write_bytes(b"x")
    large.write_bytes(noise(60_000_000))
    idle = peak_kib(database, str(small), "put", "-")
    assert busctl(database, "put", large).code == 0
    assert peak_kib(database, os.devnull, "export", target) - idle <= 32 * 1024
    assert peak_kib(elsewhere, os.devnull, "import", target) - idle <= 32 * 1024
    assert len(busctl(elsewhere, "ls").text.splitlines()) == 2


def test_an_archive_that_cannot_be_written_is_named(database: str, tmp_path: Path) -> None:
    put(database, b"payload")
    long = tmp_path / ("a" * 250)  # too long for what is written until it is whole
    done = busctl(database, "export", long)
    assert done.code == 1
    assert f"The archive {long} was not written: File name too long." in done.err
    assert "the same command goes on" in done.err
    with Path("/dev/full").open("wb") as full:
        piped = subprocess.run(
            [SCRIPT, "export", "-"], env=environment(database), stdin=subprocess.DEVNULL,
            stdout=full, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert piped.returncode == 1
    assert b"not written to standard output: No space left" in piped.stderr
