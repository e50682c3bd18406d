"""`busctl store`: the embedded server's life, backups, and what is refused."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from busctl.adapters import embedded
from tests.cli.commands import Ran
from tests.forks.client import run

_numbers = itertools.count()


@pytest.fixture
def home(open_folder: Path) -> Iterator[Path]:
    """The folder of a store of the test's own, stopped at the end."""
    folder = open_folder / f"cli-store-{os.getpid()}-{next(_numbers)}"
    yield folder
    if folder.exists():
        embedded.stop(folder, force=True)


def store(home: Path, *args: object, **environ: str) -> Ran:
    done = run(args, env={**os.environ, "BUSCTL_STORE_DIR": str(home), **environ}, timeout=90)
    err = done.stderr.decode()
    assert "Traceback" not in err, err
    return Ran(done.returncode, done.stdout, err)


def test_from_start_to_stop(home: Path) -> None:
    absent = store(home, "store", "status", "--json")
    assert (absent.code, absent.json["state"], absent.json["running"]) == (0, "absent", False)
    assert not home.exists()  # looking makes nothing

    started = store(home, "store", "start", "--json")
    assert started.code == 0, started.err
    with psycopg.connect(started.json["dsn"]) as connection:
        assert connection.execute("select count(*) from bus.message_bus").fetchone() == (0,)

    seen = store(home, "store", "status", "--json").json
    assert seen["running"] and seen["kept"] and seen["pid"] == started.json["pid"]
    assert seen["users"] == 0 and seen["size_bytes"] > 1_000_000
    assert seen["data_dir"] == str(home / "data")
    assert seen["postgresql"] == started.json["postgresql"]
    words = store(home, "store", "status").text
    assert "running, kept until `busctl store stop`" in words and str(home / "data") in words

    # Another command uses that very server, and leaves it running.
    assert store(home, "cleanup", "-q").code == 0
    assert store(home, "store", "status", "--json").json["pid"] == started.json["pid"]

    stopped = store(home, "store", "stop", "--json")
    assert (stopped.code, stopped.json["stopped"]) == (0, True)
    assert store(home, "store", "stop", "--json").json["stopped"] is False
    assert store(home, "store", "status", "--json").json["state"] == "stopped"


def test_a_store_in_use_is_stopped_only_by_force(home: Path) -> None:
    with embedded.acquire(home), embedded.acquire(home):
        refused = store(home, "store", "stop")
        assert refused.code == 3 and "in use by 2 process" in refused.err
        assert "--force" in refused.err
        assert store(home, "store", "status", "--json").json["users"] == 2
        assert store(home, "store", "stop", "--force").code == 0
        assert store(home, "store", "status", "--json").json["state"] == "stopped"


def test_backup_and_restore(home: Path, tmp_path: Path) -> None:
    payload = tmp_path / "payload"
    payload.write_bytes(os.urandom(2_500_000))
    message = store(home, "put", payload).text.strip()
    file = tmp_path / "bus.backup"
    made = store(home, "store", "backup", file, "--json")
    assert made.code == 0 and len(made.json["checksum"]) == 64 and made.json["files"] > 100
    assert made.json["stored_size_bytes"] == file.stat().st_size
    again = store(home, "store", "backup", file)
    assert again.code == 2 and "exists" in again.err
    nowhere = store(home, "store", "backup", tmp_path / "none" / "bus.backup")
    assert nowhere.code == 2 and "folder" in nowhere.err
    long = tmp_path / ("b" * 250)  # too long for what is written until it is whole
    failed = store(home, "store", "backup", long)
    assert failed.code == 1 and f"The backup {long} was not written: File name too" in failed.err
    assert not long.exists()

    assert store(home, "rm", message, "--yes").code == 0
    refused = store(home, "store", "restore", file)
    assert refused.code == 2 and "--replace" in refused.err
    unasked = store(home, "store", "restore", file, "--replace")
    assert unasked.code == 2 and "--yes" in unasked.err
    assert store(home, "get", message).code == 1

    restored = store(home, "store", "restore", file, "--replace", "--yes", "--json")
    assert restored.code == 0 and restored.json["restored"]
    assert store(home, "get", message).out == payload.read_bytes()


def test_a_damaged_backup_leaves_the_store_as_it_was(home: Path, tmp_path: Path) -> None:
    payload = tmp_path / "payload"
    payload.write_bytes(b"precious")
    message = store(home, "put", payload).text.strip()
    file = tmp_path / "bus.backup"
    assert store(home, "store", "backup", file).code == 0
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    done = store(home, "store", "restore", file, "--replace", "--yes")
    assert done.code == 1 and "is damaged" in done.err
    assert store(home, "get", message).out == b"precious"


def test_a_running_store_is_not_replaced(home: Path, tmp_path: Path) -> None:
    assert store(home, "store", "start").code == 0
    file = tmp_path / "bus.backup"
    assert "SHA-256" in store(home, "store", "backup", file).text
    done = store(home, "store", "restore", file, "--replace", "--yes")
    assert done.code == 3 and "busctl store stop" in done.err


@pytest.mark.parametrize(
    "args", [["start"], ["stop"], ["status"], ["backup", "f"], ["restore", "f"]]
)
def test_a_configured_database_is_not_embedded(home: Path, args: list[str]) -> None:
    secret = "postgresql://me:hunter2@db.example/bus"
    done = store(home, "store", *args, DATABASE_URL=secret)
    assert done.code == 2 and "not embedded" in done.err
    assert "hunter2" not in done.err and not home.exists()


def test_a_backup_that_is_not_there_is_exit_2(home: Path, tmp_path: Path) -> None:
    done = store(home, "store", "restore", tmp_path / "none")
    assert done.code == 2 and "There is no backup" in done.err


@pytest.mark.parametrize("command", ["start", "stop", "status", "backup", "restore"])
def test_help_has_examples(home: Path, command: str) -> None:
    done = store(home, "store", command, "--help")
    assert done.code == 0 and f"busctl store {command}" in done.text.split("Examples:")[1]
