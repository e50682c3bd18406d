"""Reading an earlier state from real repositories, and comparing findings with it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from busctl.audit.revision import (
    GitFailed,
    RevisionError,
    files_at,
    new_since,
    renamed_since,
    resolve,
)
from tests.audits.outcomes import finding

Git = Callable[..., str]


def git_in(folder: Path) -> Git:
    """git in a folder, with nothing of the machine's configuration."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "init.defaultBranch=main", *arguments],
            cwd=folder, capture_output=True, text=True, check=True,
            env={
                "PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
                "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
            },
        )  # fmt: skip
        return done.stdout.strip()

    return git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "pkg" / "sub").mkdir(parents=True)
    (folder / "pkg" / "a.py").write_bytes(b"a = 1\r\n")
    (folder / "pkg" / "sub" / "ü \n b.pyi").write_bytes(b"\x00\xff")
    (folder / "top.py").write_bytes(b"")
    (folder / "notes.md").write_bytes(b"# notes\n")
    (folder / "link.py").symlink_to("top.py")
    commit(folder, "one")
    return folder


def commit(folder: Path, message: str) -> str:
    git = git_in(folder)
    if not (folder / ".git").exists():
        git("init")
    git("add", "-A")
    git("commit", "--allow-empty", "-m", message)
    return git("rev-parse", "HEAD")


# --- reading -----------------------------------------------------------------------------------


def test_the_files_of_a_revision_are_read_as_they_were(repository: Path) -> None:
    (repository / "pkg" / "a.py").write_bytes(b"a = 2\n")
    (repository / "new.py").write_bytes(b"")
    commit(repository, "two")
    assert dict(files_at(repository, "HEAD~1")) == {
        "pkg/a.py": b"a = 1\r\n",
        "pkg/sub/ü \n b.pyi": b"\x00\xff",
        "top.py": b"",
    }
    assert dict(files_at(repository, "HEAD"))["pkg/a.py"] == b"a = 2\n"


def test_paths_are_relative_to_the_audited_folder(repository: Path) -> None:
    assert [path for path, _ in files_at(repository / "pkg", "HEAD")] == ["a.py", "sub/ü \n b.pyi"]


def test_a_folder_that_was_not_there_then_has_no_files(repository: Path) -> None:
    (repository / "later").mkdir()
    assert [*files_at(repository / "later", "HEAD")] == []


def test_other_files_can_be_wanted(repository: Path) -> None:
    found = dict(files_at(repository, "HEAD", lambda path: path.endswith(".md")))
    assert found == {"notes.md": b"# notes\n"}


def test_names_that_are_not_utf8(repository: Path) -> None:
    name = os.fsdecode(b"n\xff.py")
    (repository / name).write_bytes(b"x = 1\n")
    commit(repository, "bytes")
    assert dict(files_at(repository, "HEAD"))[name] == b"x = 1\n"


def test_many_and_large_files_come_through(repository: Path) -> None:
    for number in range(300):
        (repository / f"m{number:03}.py").write_bytes(b"x" * number)
    (repository / "large.py").write_bytes(b"y" * 3_000_000)
    commit(repository, "many")
    found = dict(files_at(repository, "HEAD"))
    assert len(found["large.py"]) == 3_000_000
    assert all(len(found[f"m{number:03}.py"]) == number for number in range(300))


def test_reading_can_stop_anywhere(repository: Path) -> None:
    reading = files_at(repository, "HEAD")
    assert next(reading)[0] == "pkg/a.py"
    reading.close()  # an unclosed pipe or process would be a warning, and so an error


@pytest.mark.parametrize("name", ["main", "HEAD", "v1", "main~0", "short"])
def test_names_of_a_commit(repository: Path, name: str) -> None:
    git = git_in(repository)
    git("tag", "-a", "v1", "-m", "one")
    head = git("rev-parse", "HEAD")
    assert resolve(repository, head[:10] if name == "short" else name) == head


def test_three_dots_are_where_the_branch_left(repository: Path) -> None:
    git = git_in(repository)
    left = git("rev-parse", "HEAD")
    git("checkout", "-b", "work")
    commit(repository, "work")
    git("checkout", "main")
    ahead = commit(repository, "ahead")
    git("checkout", "work")
    assert resolve(repository, "main...") == left
    assert resolve(repository, "main") == ahead


def test_a_hook_around_us_does_not_choose_the_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    commit(tmp_path / "other", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "none"))
    assert "top.py" in dict(files_at(repository, "HEAD"))
    assert renamed_since(repository, "HEAD") == {}


def test_nothing_of_the_repository_is_run(repository: Path, tmp_path: Path) -> None:
    git, ran = git_in(repository), tmp_path / "ran"
    for key in (
        "core.fsmonitor",
        "diff.external",
        "filter.x.clean",
        "filter.x.smudge",
        "diff.x.textconv",
    ):
        git("config", key, f"touch {ran}; cat")
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "attributes").write_text("*.py filter=x diff=x\n")
    assert len([*files_at(repository, "HEAD")]) == 3
    renamed_since(repository, "HEAD")
    assert not ran.exists()


# --- errors ------------------------------------------------------------------------------------


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match="not in a git repository") as caught:
        [*files_at(tmp_path, "HEAD")]
    assert "--baseline" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match="no folder"):
        resolve(tmp_path / "none", "HEAD")


@pytest.mark.parametrize(
    "name", ["none", "", "--help", "-v", "a\0b", "HEAD~99", "HEAD:top.py", "..."]
)
def test_no_such_revision(repository: Path, name: str) -> None:
    with pytest.raises(RevisionError, match="no revision") as caught:
        resolve(repository, name)
    assert caught.value.remedy


def test_a_repository_without_commits(tmp_path: Path) -> None:
    git_in(tmp_path)("init")
    with pytest.raises(RevisionError, match="no revision"):
        resolve(tmp_path, "HEAD")


def test_a_shallow_clone_says_so(repository: Path, tmp_path: Path) -> None:
    first = git_in(repository)("rev-parse", "HEAD")
    commit(repository, "two")
    git_in(tmp_path)("clone", "--depth=1", f"file://{repository}", "shallow")
    with pytest.raises(RevisionError, match="shallow clone") as caught:
        resolve(tmp_path / "shallow", first)
    assert "fetch-depth: 0" in caught.value.remedy


def test_branches_without_a_common_commit(repository: Path) -> None:
    git = git_in(repository)
    git("checkout", "--orphan", "alone")
    git("commit", "--allow-empty", "-m", "alone")
    with pytest.raises(RevisionError, match="no common commit"):
        resolve(repository, "main...")


def test_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(GitFailed, match="not installed") as caught:
        resolve(repository, "HEAD")
    assert caught.value.exit_code == 3


def test_a_damaged_object_is_named(repository: Path) -> None:
    name = git_in(repository)("rev-parse", "HEAD:pkg/a.py")
    (repository / ".git" / "objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(GitFailed, match=r"pkg/a\.py"):
        [*files_at(repository, "HEAD")]


# --- comparing ---------------------------------------------------------------------------------


def test_only_new_findings_stay() -> None:
    old, new = finding(line=4, anchor="a"), finding(line=9, anchor="b")
    moved = replace(old, span=replace(old.span, line=40, end_line=40))
    assert new_since([moved, new], [old], {}) == (new,)


def test_a_second_one_of_the_same_is_new() -> None:
    old = finding(anchor="a")
    second = replace(old, occurrence=1)
    assert new_since([old, second], [old], {}) == (second,)


def test_a_moved_file_brings_no_new_findings(repository: Path) -> None:
    git, text = git_in(repository), "".join(f"line{number} = {number}\n" for number in range(20))
    (repository / "old.py").write_text(text)
    commit(repository, "old")
    git("mv", "old.py", "pkg/new.py")
    assert renamed_since(repository, "HEAD") == {"old.py": "pkg/new.py"}
    commit(repository, "moved")
    renamed = renamed_since(repository, "HEAD~1")
    assert renamed == {"old.py": "pkg/new.py"}
    now = finding("pkg/new.py", anchor="a")
    assert new_since([now], [finding("old.py", anchor="a")], renamed) == ()
    assert new_since([now], [finding("old.py", anchor="a")], {}) == (now,)
    assert renamed_since(repository / "pkg", "HEAD~1") == {}
