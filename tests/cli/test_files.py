"""`busctl files` against played providers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import pdfs
from tests.cli.commands import Ran, busctl
from tests.providers.played import KEY, Played

Play = Callable[[str], Played]
Busctl = Callable[..., Ran]
PAGES = pdfs.pdf([["figures of the year"]], filler=1000)


@pytest.fixture
def kimi(play: Play) -> Played:
    return play("kimi")


@pytest.fixture
def files(kimi: Played, database: str) -> Iterator[Busctl]:
    os.environ |= {"KIMI_API_KEY": KEY, "KIMI_BASE_URL": kimi.base}

    def called(*args: object) -> Ran:
        done = busctl(database, "files", *args)
        assert KEY not in done.text + done.err
        return done

    yield called
    del os.environ["KIMI_API_KEY"], os.environ["KIMI_BASE_URL"]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(PAGES)
    return path


def test_upload_list_show_and_purge(
    files: Busctl, kimi: Played, database: str, report: Path
) -> None:
    notes = report.with_name("notes.txt")
    notes.write_text("remember the milk")
    uploaded = files("upload", "--provider", "kimi", report, notes, "--json")
    first, second = uploaded.json["files"]
    assert (first["done"], second["done"]) == ("uploaded", "inlined")
    assert files("upload", "--provider", "kimi", report).text.startswith("reused\t")
    assert kimi.count("POST") == 1
    (file_id,) = kimi.shelf.files
    (listed,) = files("ls", "--json").json["files"]
    assert (listed["file_id"], listed["standing"], listed["name"]) == (
        file_id, "known", "report.pdf",
    )  # fmt: skip
    assert listed["sha256"] == hashlib.sha256(PAGES).hexdigest()
    assert files("ls", "--remote").text.split("\t")[2] == "there"
    for what in (file_id, listed["sha256"], report):
        shown = files("show", what, "--json").json
        assert [one["file_id"] for one in shown["files"]] == [file_id]
        (text,) = shown["texts"]
        assert busctl(database, "get", text["transaction_id"]).out.startswith(b"text of report")
    assert files("show", "file-0").code == 1
    assert [
        one["file_id"] for one in files("purge", "--all", "--dry-run", "--json").json["files"]
    ] == [file_id]
    assert kimi.shelf.files
    refused = files("purge", "--all")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert files("purge", "--yes").text == ""  # nothing is an orphan
    assert "1 file removed" in files("purge", "--all", "--yes").err
    assert kimi.shelf.files == {}
    assert files("ls").text == ""


def test_orphans_lines_of_gone_files_and_files_of_others(
    files: Busctl, kimi: Played, database: str, report: Path
) -> None:
    other = report.with_name("other.pdf")
    other.write_bytes(PAGES + b"\n")
    files("upload", "-p", "kimi", report, other)
    kept, gone = kimi.shelf.files
    stored = kimi.shelf.files[kept]
    kimi.shelf.files["file-orphan"] = type(stored)(
        "file-orphan", stored.name, stored.purpose, b"x", 0
    )
    kimi.shelf.files["file-foreign"] = type(stored)(
        "file-foreign", "somebody's.pdf", stored.purpose, b"x", 0
    )
    del kimi.shelf.files[gone]
    standing = {
        one["file_id"]: one["standing"] for one in files("ls", "--remote", "--json").json["files"]
    }
    assert standing == {
        kept: "there", gone: "gone", "file-orphan": "orphan", "file-foreign": "foreign",
    }  # fmt: skip
    purged = files("purge", "--yes", "--json").json["files"]
    assert {one["file_id"] for one in purged} == {gone, "file-orphan"}
    assert set(kimi.shelf.files) == {kept, "file-foreign"}
    assert {one["file_id"] for one in files("ls", "--json").json["files"]} == {kept}
    assert files("purge", "file-foreign", "--yes").code == 0
    assert set(kimi.shelf.files) == {kept}
    assert files("purge", "file-none", "--yes").code == 2


def test_a_site_that_documents_uploads_alone_is_asked_nothing(
    files: Busctl, play: Play, report: Path
) -> None:
    zai, glm = play("zai"), play("glm")
    given = {"ZAI": zai, "GLM": glm}
    for name, played in given.items():
        os.environ |= {f"{name}_API_KEY": KEY, f"{name}_BASE_URL": played.base}
    try:
        assert files("upload", "-p", "zai", report).text.startswith("extracted\t")
        assert files("upload", "-p", "glm", report).text.startswith("uploaded\t")
        assert files("ls", "--remote").text.split("\t")[:3] == ["glm", "file-1", "there"]
        assert files("ls", "--remote", "-p", "zai").text == ""
        assert "1 file removed" in files("purge", "--all", "--yes").err
    finally:
        for name in given:
            del os.environ[f"{name}_API_KEY"], os.environ[f"{name}_BASE_URL"]
    assert not zai.seen
    assert not glm.shelf.files


def test_what_goes_wrong_is_named(
    files: Busctl, kimi: Played, report: Path, tmp_path: Path
) -> None:
    assert files("ls", "--remote", "--provider", "nobody").code == 2
    missing = files("ls", "--remote", "--provider", "glm")
    assert (missing.code, "GLM_API_KEY" in missing.err) == (2, True)
    refused = files("upload", "-p", "kimi", tmp_path / "none.pdf", report, "--json")
    assert refused.code == 1
    assert [(one["done"], one.get("reason")) for one in refused.json["files"]] == [
        ("refused", "missing"), ("uploaded", None),
    ]  # fmt: skip
    assert "There is no file" in files("upload", "-p", "kimi", tmp_path / "none.pdf").err
    kimi.key = "another"
    wrong = files("ls", "--remote", "--json")
    assert (wrong.code, "PROVIDER_UNAUTHORIZED" in wrong.err) == (2, True)


@pytest.mark.parametrize("command", ["ls", "show", "upload", "purge"])
def test_help_has_examples(command: str) -> None:
    shown = busctl(None, "files", command, "--help").text
    assert f"busctl files {command}" in shown.split("Examples:")[1]
