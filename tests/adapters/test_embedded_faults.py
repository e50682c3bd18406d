"""The embedded store after kills, power cuts, stale pid files and failures to start."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.embedded import binaries, processes
from busctl.core.errors import EmbeddedStoreError
from tests.adapters.embedded_store import (
    NOBODY,
    Child,
    copy_of,
    folder,
    is_live,
    query,
    wait_for,
)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A store made once; each test finds it stopped, and leaves it one that starts."""
    with folder() as path:
        server = embedded.start(path / "store")
        query(server, "create table kept (word text)")
        yield path / "store"


@pytest.fixture
def home(made: Path) -> Iterator[Path]:
    embedded.stop(made, force=True)
    yield made
    embedded.stop(made, force=True)


@pytest.fixture
def room() -> Iterator[Path]:
    with folder() as path:
        yield path


def _commit(server: embedded.Server) -> None:
    query(server, "truncate kept")
    query(server, "insert into kept values ('just before')")


def _kill(home: Path) -> int:
    """SIGKILL the server after a commit; its pid."""
    server = embedded.start(home)
    _commit(server)
    os.kill(server.pid, signal.SIGKILL)
    wait_for(lambda: not is_live(server.pid))
    return server.pid


def _assert_recovered(home: Path) -> None:
    with embedded.acquire(home) as lease:
        assert query(lease.server, "select string_agg(word, ', ') from kept") == "just before"


def _name_in_pid_files(home: Path, pid: int) -> None:
    for path in (home / "data" / "postmaster.pid", home / "run" / ".s.PGSQL.5432.lock"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text(f"{pid}\n" + "".join(lines[1:]))


def test_a_killed_server_is_seen_and_what_was_committed_is_there(home: Path) -> None:
    _kill(home)
    found = embedded.status(home)
    assert (found.state, found.pid) == ("stale", None)
    _assert_recovered(home)
    assert embedded.status(home).state == "stopped"


def test_a_pid_that_another_process_got_is_not_taken_for_the_server(home: Path) -> None:
    _kill(home)
    # Of the same user: that is whom PostgreSQL itself takes for a running server.
    with subprocess.Popen(["sleep", "60"], user=NOBODY.pw_uid, cwd="/") as other:
        _name_in_pid_files(home, other.pid)
        assert embedded.status(home).state == "stale"
        assert embedded.stop(home) is False
        _assert_recovered(home)
        assert other.poll() is None
        other.kill()


def test_a_server_of_another_store_with_that_pid_is_not_touched(home: Path, room: Path) -> None:
    other = embedded.start(copy_of(home, room / "store"))
    _kill(home)
    _name_in_pid_files(home, other.pid)
    assert embedded.stop(home, force=True) is False
    _assert_recovered(home)
    assert embedded.status(room / "store").pid == other.pid


def test_a_zombie_is_not_taken_for_the_server(home: Path) -> None:
    _kill(home)
    with subprocess.Popen(["true"], user=NOBODY.pw_uid, cwd="/") as zombie:
        wait_for(lambda: not is_live(zombie.pid))
        assert Path(f"/proc/{zombie.pid}").exists()
        _name_in_pid_files(home, zombie.pid)
        assert embedded.status(home).state == "stale"
        _assert_recovered(home)


@pytest.mark.parametrize("content", [b"", bytes(60), b"nonsense\n"], ids=["empty", "nul", "text"])
def test_a_pid_file_damaged_by_a_power_cut_is_replaced(home: Path, content: bytes) -> None:
    _kill(home)
    (home / "data" / "postmaster.pid").write_bytes(content)
    assert embedded.status(home).state == "stale"
    _assert_recovered(home)


def test_backends_that_outlive_their_server_are_waited_for(home: Path) -> None:
    server = embedded.start(home)
    _commit(server)
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        os.kill(server.pid, signal.SIGKILL)
        wait_for(lambda: not is_live(server.pid))
        child = Child(lambda: embedded.start(home).pid)
        log = home / "server.log"
        wait_for(lambda: "pre-existing shared memory block" in log.read_text())
        assert is_live(backend)
        os.kill(backend, signal.SIGCONT)
        assert is_live(child.result())
    _assert_recovered(home)


def test_a_socket_lock_whose_pid_another_process_got_is_replaced(home: Path) -> None:
    _kill(home)
    (home / "data" / "postmaster.pid").unlink()  # as after a restore
    with subprocess.Popen(["sleep", "60"], user=NOBODY.pw_uid, cwd="/") as other:
        lock = home / "run" / ".s.PGSQL.5432.lock"
        lock.write_text(f"{other.pid}\n" + lock.read_text().partition("\n")[2])
        _assert_recovered(home)
        other.kill()


def test_a_starter_killed_while_making_the_store_leaves_nothing(room: Path) -> None:
    home = room / "store"
    child = Child(lambda: embedded.start(home).pid)
    wait_for(lambda: list(home.glob("data.new-*/base")))
    child.kill()
    assert embedded.status(home).state == "absent"
    with embedded.acquire(home) as lease:
        assert query(lease.server, "select 1") == 1
    assert list(home.glob("data.new-*")) == []


def test_a_starter_killed_while_the_server_starts_is_followed_by_one_server(home: Path) -> None:
    child = Child(lambda: embedded.start(home).pid)
    wait_for(lambda: (home / "data" / "postmaster.pid").exists())
    child.kill()
    with embedded.acquire(home) as lease:
        assert query(lease.server, "select 1") == 1
    assert embedded.status(home).state == "stopped"


def test_initdb_that_fails_says_why_and_leaves_nothing(room: Path) -> None:
    real, small = binaries.find().bin_dir, room / "bin"
    small.mkdir()
    (small / "postgres").symlink_to(real / "postgres")
    (small / "initdb").write_text(f'#!/bin/sh\nulimit -f 100\nexec {real}/initdb "$@"\n')
    (small / "initdb").chmod(0o755)
    with pytest.raises(EmbeddedStoreError) as caught:
        embedded.start(room / "store", bin_dir=small)
    assert "initdb could not make the store" in str(caught.value)
    assert "File size limit exceeded" in str(caught.value) or "too large" in str(caught.value)
    assert [path.name for path in (room / "store").iterdir()] == ["start.lock"]
    assert query(embedded.start(room / "store"), "select 1") == 1


def test_a_server_that_does_not_start_says_why(home: Path) -> None:
    settings = home / "data" / "postgresql.auto.conf"
    before = settings.read_text()
    settings.write_text(before + "shared_buffers = 'plenty'\n")
    with pytest.raises(EmbeddedStoreError) as caught:
        embedded.start(home)
    assert 'invalid value for parameter "shared_buffers": "plenty"' in str(caught.value)
    assert str(home / "server.log") in caught.value.remedy
    settings.write_text(before)
    assert query(embedded.start(home), "select 1") == 1


def test_a_decision_that_takes_too_long_is_an_error(home: Path) -> None:
    server = embedded.start(home)
    os.kill(server.pid, signal.SIGSTOP)
    with pytest.raises(EmbeddedStoreError, match=r"did not stop in 0\.05 s"):
        embedded.stop(home, wait_seconds=0.05)
    os.kill(server.pid, signal.SIGCONT)
    wait_for(lambda: embedded.status(home).state == "stopped")


def test_a_home_that_is_a_file_is_named(room: Path) -> None:
    (room / "store").write_text("")
    with pytest.raises(EmbeddedStoreError, match=f"{room}/store could not be used"):
        embedded.start(room / "store")


def test_a_log_that_grew_is_put_aside(home: Path) -> None:
    with (home / "server.log").open("r+b") as log:
        log.truncate(11 * 1024 * 1024)
    embedded.start(home)
    assert (home / "server.log").stat().st_size < 1_000_000
    assert (home / "server.log.1").stat().st_size > 10_000_000


def test_a_link_in_place_of_the_log_is_not_followed(home: Path, room: Path) -> None:
    (home / "server.log").unlink()
    (home / "server.log").symlink_to(room / "victim")
    with pytest.raises(EmbeddedStoreError, match="could not be used"):
        embedded.start(home)
    (home / "server.log").unlink()
    assert not (room / "victim").exists()


def test_without_proc_ps_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PROC", Path("/nowhere"))
    assert processes.alive(os.getpid())
    assert b"python" in b" ".join(processes.command_line(os.getpid()))
    with subprocess.Popen(["true"]) as zombie:
        wait_for(lambda: not is_live(zombie.pid))
        assert not processes.alive(zombie.pid)
    assert not processes.alive(zombie.pid)
