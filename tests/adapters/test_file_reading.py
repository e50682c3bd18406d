"""Files below the allowed roots: what is read is what was asked for, whatever others do."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from busctl.adapters.file_reading import RootedFiles
from busctl.core.errors import FileRefused
from busctl.core.files.manifest import Reason

MB = 1_000_000
ENOUGH = 250


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "inner").mkdir(parents=True)
    (tmp_path / "secret").write_text("outside")
    return folder


def reason(root: Path, path: object, most: int = MB) -> str:
    with pytest.raises(FileRefused) as caught:
        RootedFiles([str(root)], most).read(path, keep=True)
    assert caught.value.remedy
    return caught.value.reason


def test_a_file_is_read_whole_and_hashed(root: Path) -> None:
    content = os.urandom(3_000_000)
    (root / "inner" / "data.bin").write_bytes(content)
    file = RootedFiles([str(root)], 10 * MB).read(str(root / "inner" / "data.bin"), keep=True)
    with file.content:
        assert file.content.read() == content
    assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (file.name, file.canonical) == ("data.bin", str(root / "inner" / "data.bin"))


def test_without_roots_nothing_is_read(root: Path) -> None:
    (root / "file").write_text("x")
    with pytest.raises(FileRefused) as caught:
        RootedFiles([], MB).read(str(root / "file"), keep=True)
    assert caught.value.reason == Reason.NO_ROOTS
    assert "BUSCTL_FILE_ROOTS" in caught.value.remedy


def test_a_link_inside_the_roots_is_followed_and_told_by_its_target(root: Path) -> None:
    (root / "inner" / "file").write_text("x")
    (root / "link").symlink_to(root / "inner")
    file = RootedFiles([str(root)], MB).read(str(root / "link" / "file"), keep=False)
    file.content.close()
    assert file.canonical == str(root / "inner" / "file")


def test_a_root_may_itself_be_a_link(root: Path, tmp_path: Path) -> None:
    (root / "file").write_text("x")
    (tmp_path / "alias").symlink_to(root)
    with (
        RootedFiles([str(tmp_path / "alias")], MB)
        .read(str(tmp_path / "alias" / "file"), keep=True)
        .content as content
    ):
        assert content.read() == b"x"


def test_what_lies_outside_is_refused_whatever_leads_there(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    (root / "file-link").symlink_to(secret)
    (root / "folder-link").symlink_to(tmp_path)
    (root / "relative-link").symlink_to("../secret")
    sibling = tmp_path / "root-2"
    sibling.mkdir()
    (sibling / "file").write_text("x")
    for path in (
        secret, root / "file-link", root / "folder-link" / "secret", root / "relative-link",
        sibling / "file", root, "/etc/passwd", tmp_path / "not there", "/proc/self/environ",
    ):  # fmt: skip
        assert reason(root, str(path)) == Reason.OUTSIDE, path
    # Nothing tells what is outside: not even whether it is there, or where a link leads.
    with pytest.raises(FileRefused) as caught:
        RootedFiles([str(root)], MB).read(str(root / "file-link"), keep=True)
    assert str(secret) not in str(caught.value)


def test_what_is_no_file_is_refused_without_being_opened(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name in ("inner", "pipe", "socket"):
            assert reason(root, str(root / name)) == Reason.NOT_A_FILE
    with pytest.raises(FileRefused) as caught:
        RootedFiles(["/dev"], MB).read("/dev/zero", keep=True)
    assert caught.value.reason == Reason.NOT_A_FILE
    assert "device" in caught.value.message


def test_missing_unreadable_looping_and_too_large(root: Path) -> None:
    assert reason(root, str(root / "none")) == Reason.MISSING
    (root / "file").write_text("x")
    assert reason(root, str(root / "file" / "below")) == Reason.CHANGED
    (root / "loop").symlink_to(root / "loop")
    assert reason(root, str(root / "loop")) in (Reason.CHANGED, Reason.OUTSIDE)
    (root / "large").write_bytes(b"x" * 1001)
    assert reason(root, str(root / "large"), 1000) == Reason.TOO_LARGE
    assert reason(root, str(root / ("n" * 300))) == Reason.UNREADABLE


def test_a_file_that_is_written_meanwhile_is_refused(root: Path) -> None:
    path = root / "growing"
    path.write_bytes(b"x" * 5_000_000)
    stop = threading.Event()

    def write() -> None:
        with path.open("r+b", buffering=0) as file:
            while not stop.is_set():
                file.seek(0)
                file.write(os.urandom(8))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        outcomes = {_outcome(root, path) for _ in range(100)}
    finally:
        stop.set()
        writer.join()
    assert Reason.CHANGED in outcomes
    assert outcomes <= {Reason.CHANGED, "read"}


def _outcome(root: Path, path: Path) -> str:
    try:
        RootedFiles([str(root)], 10 * MB).read(str(path), keep=False).content.close()
    except FileRefused as error:
        return error.reason
    return "read"


@pytest.mark.parametrize("which", ["the file", "a folder on the way"])
def test_a_link_that_takes_a_place_while_it_is_opened_never_leads_out(
    root: Path, tmp_path: Path, which: str
) -> None:
    """Somebody swaps a name for a link that leaves, and back, as fast as they can."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("outside")
    (root / "inner" / "file").write_text("inside")
    stop = threading.Event()
    swap = _swapper(root / "inner" / "file", outside / "file") if which == "the file" else (
        _swapper(root / "inner", outside)
    )  # fmt: skip

    def work() -> None:
        while not stop.is_set():
            swap()

    swapping = threading.Thread(target=work)
    swapping.start()
    seen: Counter[str] = Counter()
    files = RootedFiles([str(root)], MB)
    deadline = time.monotonic() + 30
    refused: Counter[str] = Counter()
    try:
        # Until both have been seen often enough for the others to have had their chance.
        while min(seen["inside"], refused.total()) < ENOUGH and time.monotonic() < deadline:
            try:
                with files.read(str(root / "inner" / "file"), keep=True).content as content:
                    seen[content.read().decode()] += 1
            except FileRefused as error:
                refused[error.reason] += 1
    finally:
        stop.set()
        swapping.join()
    assert set(seen) == {"inside"}
    assert set(refused) <= {Reason.OUTSIDE, Reason.CHANGED, Reason.MISSING}
    assert refused


def _swapper(place: Path, target: Path) -> Callable[[], None]:
    aside = place.with_name(place.name + ".aside")

    def swap() -> None:
        place.rename(aside)
        place.symlink_to(target)
        place.unlink()
        aside.rename(place)

    return swap
