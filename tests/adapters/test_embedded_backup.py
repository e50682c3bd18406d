"""Backup of an embedded store in use, and restore that never harms what is there."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import zstandard

from busctl.adapters import embedded
from busctl.adapters.embedded import binaries
from busctl.core.errors import BackupDamaged, EmbeddedStoreError, FileFailed, StoreThere
from tests.adapters.embedded_store import (
    DEBIAN_15,
    NOBODY,
    Child,
    copy_of,
    folder,
    mode,
    query,
    wait_for,
)


@pytest.fixture(scope="module")
def source() -> Iterator[tuple[Path, Path]]:
    """A store that holds the word "old", and a backup of it."""
    with folder() as path:
        server = embedded.start(path / "store")
        query(server, "create table word as select 'old' as word")
        embedded.backup(path / "store", path / "backup")
        embedded.stop(path / "store", force=True)
        yield path / "store", path / "backup"


@pytest.fixture
def room() -> Iterator[Path]:
    with folder() as path:
        yield path


@pytest.fixture(scope="module")
def newer_made(source: tuple[Path, Path]) -> Path:
    return copy_of(source[0], source[0].with_name("newer"))


@pytest.fixture
def newer(newer_made: Path) -> Path:
    """A stopped store with the word "new"."""
    with embedded.acquire(newer_made) as lease:
        query(lease.server, "update word set word = 'new'")
    return newer_made


def _word(home: Path) -> object:
    with embedded.acquire(home) as lease:
        return query(lease.server, "select word from word")


def test_a_store_is_backed_up_while_it_is_written_and_comes_back_consistent(room: Path) -> None:
    with embedded.acquire(room / "store") as lease:
        query(lease.server, "create table pair (a int, b int)")
        ended = threading.Event()
        writer = threading.Thread(target=_write_pairs, args=(lease.server.dsn, ended))
        writer.start()
        try:
            report = embedded.backup(room / "store", room / "backup")
        finally:
            ended.set()
            writer.join()
    assert report.path == room / "backup"
    assert report.stored_size_bytes == report.path.stat().st_size < report.size_bytes
    assert report.checksum == hashlib.sha256(report.path.read_bytes()).hexdigest()
    assert (mode(report.path), report.version) == (0o600, binaries.find().version)
    assert sorted(path.name for path in room.iterdir()) == ["backup", "store"]
    assert list((room / "store").glob("backup-*")) == []

    embedded.restore(room / "other", report.path)
    with embedded.acquire(room / "other") as lease:
        assert query(lease.server, "select count(*) > 0 from pair") is True
        assert query(lease.server, "select count(*) from pair where a <> b") == 0
        assert query(lease.server, "show data_checksums") == "on"
    assert mode(room / "other" / "data") == 0o700
    assert (room / "other" / "data").stat().st_uid == NOBODY.pw_uid


def _write_pairs(dsn: str, ended: threading.Event) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        number = 0
        while not ended.is_set():
            number += 1
            connection.execute("insert into pair values (%s, %s)", (number, number))


def test_debians_15_is_backed_up_and_restored(room: Path) -> None:
    with embedded.acquire(room / "store", bin_dir=DEBIAN_15) as lease:
        query(lease.server, "create table word as select 'old' as word")
        embedded.backup(room / "store", room / "backup", bin_dir=DEBIAN_15)
    embedded.restore(room / "other", room / "backup", bin_dir=DEBIAN_15)
    with embedded.acquire(room / "other", bin_dir=DEBIAN_15) as lease:
        assert query(lease.server, "select word from word") == "old"
    with pytest.raises(EmbeddedStoreError, match=r"is of PostgreSQL 15\.") as caught:
        embedded.restore(room / "third", room / "backup", bin_dir=binaries.find().bin_dir)
    assert "BUSCTL_PG_BIN" in caught.value.remedy


def test_a_backup_overwrites_nothing_and_needs_a_store(newer: Path, room: Path) -> None:
    (room / "there").write_text("mine")
    with pytest.raises(EmbeddedStoreError, match="there exists"):
        embedded.backup(newer, room / "there")
    assert (room / "there").read_text() == "mine"
    with pytest.raises(EmbeddedStoreError, match="There is no store"):
        embedded.backup(room / "none", room / "backup")
    with pytest.raises(FileFailed, match=r"folder/backup was not written: No such file"):
        embedded.backup(newer, room / "no such folder" / "backup")
    assert embedded.status(newer).state == "stopped"
    assert list(newer.glob("backup-*")) == []


def test_restore_takes_the_place_of_a_store_only_when_told(
    newer: Path, source: tuple[Path, Path]
) -> None:
    with pytest.raises(StoreThere, match=r"a store in .* already.*--replace"):
        embedded.restore(newer, source[1])
    assert _word(newer) == "new"
    embedded.restore(newer, source[1], replace=True)
    assert _word(newer) == "old"
    assert list(newer.glob("data.*")) == []


def test_restore_refuses_a_running_server(newer: Path, source: tuple[Path, Path]) -> None:
    with embedded.acquire(newer) as lease:
        with pytest.raises(EmbeddedStoreError, match=f"in use .pid {lease.server.pid}"):
            embedded.restore(newer, source[1], replace=True)
        assert query(lease.server, "select word from word") == "new"


def _rewritten(change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Callable[..., bytes]:
    """The archive with each member passed through `change` (None leaves it out)."""

    def rewrite(archive: bytes) -> bytes:
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(archive)
        out = io.BytesIO()
        with (
            tarfile.open(fileobj=io.BytesIO(raw)) as old,
            tarfile.open(fileobj=out, mode="w") as new,
        ):
            for member in old:
                file = old.extractfile(member)
                changed = change(member.name, file.read() if file else b"")
                if changed is not None:
                    member.name, member.size = changed[0], len(changed[1])
                    new.addfile(member, io.BytesIO(changed[1]))
        return zstandard.ZstdCompressor().compress(out.getvalue())

    return rewrite


def _one_file_of_the_manifest(name: str, content: bytes) -> tuple[str, bytes]:
    if name != "manifest.json":
        return name, content
    manifest = json.loads(content)
    manifest["PG_VERSION"]["sha256"] = "0" * 64
    return name, json.dumps(manifest).encode()


_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a byte": lambda archive: archive[:1_000_000] + b"\xff\x00\xff" + archive[1_000_003:],
    "cut": lambda archive: archive[: len(archive) // 2],
    "cut at the end": lambda archive: archive[:-2000],
    "empty": lambda archive: b"",
    "something else": lambda archive: b"PK\x03\x04" + bytes(5000),
    "another tar": _rewritten(lambda name, content: ("x" + name, content)),
    "a manifest that differs": _rewritten(_one_file_of_the_manifest),
    "a file missing": _rewritten(
        lambda name, content: None if name == "data/global/pg_control" else (name, content)
    ),
    "a file changed": _rewritten(
        lambda name, content: (
            name,
            content + b"#" if name.endswith("postgresql.conf") else content,
        )
    ),
    "a file outside": _rewritten(
        lambda name, content: ("data/../../x" if name == "data/PG_VERSION" else name, content)
    ),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_backup_is_refused_and_the_store_stays(
    newer: Path, source: tuple[Path, Path], room: Path, damage: str
) -> None:
    (room / "damaged").write_bytes(_DAMAGES[damage](source[1].read_bytes()))
    with pytest.raises(BackupDamaged, match=f"The backup {room}/damaged is damaged: .+"):
        embedded.restore(newer, room / "damaged", replace=True)
    assert list(newer.glob("data.*")) == []
    assert not (room / "x").exists()
    assert _word(newer) == "new"


def test_a_restore_that_is_killed_leaves_the_old_store(
    newer: Path, source: tuple[Path, Path]
) -> None:
    child = Child(lambda: embedded.restore(newer, source[1], replace=True))
    wait_for(lambda: list(newer.glob("data.new-*/base/*")))
    child.kill()
    assert _word(newer) == "new"
    assert list(newer.glob("data.*")) == []


def test_a_crash_between_the_two_renames_is_undone(newer: Path) -> None:
    (newer / "data").rename(newer / "data.old-1")
    assert _word(newer) == "new"
    assert list(newer.glob("data.*")) == []
