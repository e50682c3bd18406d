"""An earlier state of the audited folder, read from git without a checkout.

Nothing of the repository is run: no hooks, filters, external diffs or file system monitors. The
folder decides which repository is meant, not GIT_DIR of a hook that runs around us.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from busctl.audit.model import Finding
from busctl.core.errors import BusctlError, ConfigurationError

_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
_OF_HOOKS = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"}
_REGULAR = {"100644", "100755"}
_SUBMODULE = "160000"
_LOCAL = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


class RevisionError(ConfigurationError):
    """The folder is in no repository, or the repository has no such revision."""

    code = "REVISION"


class GitFailed(BusctlError):
    """git is not installed, or it stopped in the middle of reading."""

    code = "GIT"
    exit_code = 3


def is_python(path: str) -> bool:
    """Whether a path is one of Python source."""
    return path.endswith((".py", ".pyi"))


def resolve(folder: Path, revision: str) -> str:
    """The commit that `revision` names: a branch, tag or hash; `main...` is where HEAD left main.
    Raises RevisionError or GitFailed."""
    inside = _git(folder, "rev-parse", "--is-inside-work-tree")
    if inside.returncode:
        raise RevisionError(
            f"{folder} is not in a git repository that can be read: {_said(inside)}",
            remedy="Run the audit in a checkout, or compare with --baseline FILE instead.",
        )
    name = revision.removesuffix("...")
    commit = _commit(folder, name)
    if commit is None:
        raise _unknown(folder, name)
    if name == revision:
        return commit
    base = _git(folder, "merge-base", commit, "HEAD")
    if base.returncode:
        raise _unknown(folder, revision, f"{name} and HEAD have no common commit here")
    return base.stdout.decode().strip()


def _commit(folder: Path, name: str) -> str | None:
    if not name or name.startswith("-") or "\0" in name:
        return None  # an option of git's, not a name
    found = _git(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    return None if found.returncode else found.stdout.decode().strip()


def _unknown(folder: Path, revision: str, why: str = "") -> RevisionError:
    message = why or f"There is no revision {revision!r} in the repository of {folder}"
    if _git(folder, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
        return RevisionError(
            f"{message}: this is a shallow clone.",
            remedy="Fetch the history with `git fetch --unshallow` (fetch-depth: 0 of "
            "actions/checkout, GIT_DEPTH: 0 in GitLab).",
        )
    return RevisionError(f"{message}.", remedy="`git branch -a` and `git tag` list what is there.")


# --- reading -----------------------------------------------------------------------------------


def files_at(
    folder: Path, revision: str, wanted: Callable[[str], bool] = is_python
) -> Generator[tuple[str, bytes], None, None]:
    """The files of `folder` at a revision, by path relative to it with slashes, in the order of
    paths; those that were not below it and links are left out. Submodules that are checked out are
    read at the commit that was recorded then. One git process reads all of a repository, and one
    file is held at a time. Raises RevisionError or GitFailed."""
    commit = resolve(folder, revision)
    listed = _git(folder, "ls-tree", "-r", "-z", commit, "--", ".")
    if listed.returncode:
        raise GitFailed(f"git could not list {revision}: {_said(listed)}")
    entries = list(_entries(listed.stdout))
    with _objects(folder) as (ask, answer):
        for path, name, mode in entries:
            if mode == _SUBMODULE:
                yield from _below(folder, path, name.decode(), wanted)
            elif wanted(path):
                yield path, _read(ask, answer, path, name)


def _below(
    folder: Path, path: str, commit: str, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, bytes]]:
    """Nothing when the submodule, or that commit of it, was not fetched: then all in it is new."""
    inside = folder / path
    if (inside / ".git").exists() and _commit(inside, commit):
        for name, content in files_at(inside, commit, wanted):
            yield f"{path}/{name}", content


def _entries(listing: bytes) -> Iterator[tuple[str, bytes, str]]:
    """`mode type object TAB path NUL`, for regular files and submodules."""
    for entry in listing.split(b"\0"):
        if entry:
            head, _, path = entry.partition(b"\t")
            mode, _, name = head.split(b" ")
            if (kind := mode.decode()) in _REGULAR or kind == _SUBMODULE:
                yield os.fsdecode(path), name, kind


@contextmanager
def _objects(folder: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    process = subprocess.Popen(
        [*_GIT, "cat-file", "--batch"], cwd=folder, env=_environment(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None  # noqa: S101  # a pipe
    assert process.stdout is not None  # noqa: S101  # a pipe
    try:
        yield process.stdin, process.stdout
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        _close(process.stdin)


def _close(ask: IO[bytes]) -> None:
    try:
        ask.close()
    except BrokenPipeError:
        # What was still to be asked: the reader has left, and has raised if that was an error.
        return


def _read(ask: IO[bytes], answer: IO[bytes], path: str, name: bytes) -> bytes:
    """One question, one answer: `object type size LF content LF`."""
    try:
        ask.write(name + b"\n")
        ask.flush()
    except BrokenPipeError as error:
        raise GitFailed(f"git stopped before it gave {path}.") from error
    head = answer.readline().split()
    if len(head) != 3:
        raise GitFailed(
            f"git has no content of {path} at that revision: the clone is partial or damaged.",
            remedy="Look with `git fsck`, or fetch the objects.",
        )
    size = int(head[2])
    data = answer.read(size + 1)
    if len(data) != size + 1:
        raise GitFailed(f"git stopped in the middle of {path}.")
    return data[:size]


# --- comparing ---------------------------------------------------------------------------------


def renamed_since(folder: Path, revision: str) -> dict[str, str]:
    """Old path to new path of the files of `folder` that were moved since (committed or staged).
    Raises RevisionError or GitFailed."""
    commit = resolve(folder, revision)
    listed = _git(
        folder, "diff-index", "--cached", "--find-renames", "--diff-filter=R", "--name-status",
        "--relative", "--no-ext-diff", "--no-textconv", "-z", commit, "--",
    )  # fmt: skip
    if listed.returncode:
        raise GitFailed(f"git could not compare with {revision}: {_said(listed)}")
    words = [os.fsdecode(word) for word in listed.stdout.split(b"\0")]
    return {words[at + 1]: words[at + 2] for at in range(0, len(words) - 2, 3)}


def new_since(
    now: Iterable[Finding], before: Iterable[Finding], renamed: Mapping[str, str]
) -> tuple[Finding, ...]:
    """The findings that were not there before, as the files are called now."""
    known = {
        replace(one, path=renamed.get(one.path, one.path)).fingerprint for one in before
    }  # fmt: skip
    return tuple(one for one in now if one.fingerprint not in known)


# --- git ---------------------------------------------------------------------------------------


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            [*_GIT, *arguments], cwd=folder, env=_environment(), capture_output=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except OSError as error:
        if not folder.is_dir():
            raise RevisionError(f"There is no folder {folder}.", remedy="") from error
        raise GitFailed(
            "git is not installed, or cannot be run from PATH.",
            remedy="Install git, or compare with --baseline FILE instead of --diff-base.",
        ) from error


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OF_HOOKS} | _LOCAL


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else f"git ended with {done.returncode}"
