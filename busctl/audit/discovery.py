"""Which files are looked at: those given, and those below the folders given that git would keep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

NEVER = frozenset({
    ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "node_modules", "__pycache__",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".eggs", "site-packages", ".hypothesis",
})  # fmt: skip
CODE = (".py", ".pyi", ".sql")
_TEXTS = (
    ".md", ".rst", ".txt", ".toml", ".yml", ".yaml", ".cfg", ".ini", ".sh", ".json", ".service",
    ".conf", ".ps1", ".bat",
)  # fmt: skip
_TEXT_NAMES = ("dockerfile", "makefile", "procfile", "justfile", "compose")
TEXT_BYTES = 500_000
"""A larger text beside the code is data, not documentation."""


@dataclass(frozen=True, slots=True)
class Found:
    """Paths below `root`, relative to it, with slashes: the code, and the texts beside it. `whole`:
    the root itself was asked for."""

    root: Path
    code: tuple[str, ...]
    texts: tuple[str, ...]
    whole: bool = True


@dataclass(slots=True)
class _Walk:
    root: Path
    exclude: GitIgnoreSpec
    code: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


def root_of(paths: Sequence[Path]) -> Path:
    """The project: the nearest folder above all paths with a pyproject.toml or .git, else the
    folder that holds them all. Paths are relative to it, wherever the audit was started."""
    together = Path(os.path.commonpath([path.resolve() for path in paths]))
    folder = together if together.is_dir() else together.parent
    for each in (folder, *folder.parents):
        if (each / "pyproject.toml").is_file() or (each / ".git").exists():
            return each
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent  # inside a package: what it imports is named from outside of it
    return folder


def discover(paths: Sequence[Path], root: Path, exclude: Sequence[str] = ()) -> Found:
    """The files to look at. Raises FileNotFoundError for a path that is not there.

    `exclude` are patterns as in .gitignore, relative to the root. A file that is given by name is
    looked at even if it is ignored. Texts are taken from the whole project: what documents a
    variable often lies outside of the folder with the code.
    """
    walk = _Walk(root, GitIgnoreSpec.from_lines(exclude))
    seen: set[Path] = set()
    for path in paths:
        resolved = path.resolve()
        if resolved.is_file():
            walk.code.add(resolved.relative_to(root).as_posix())
        elif resolved.is_dir():
            _descend(walk, resolved, _above(walk, resolved), want_code=True)
            seen.add(resolved)
        else:
            raise FileNotFoundError(f"{path}: no such file or folder")
    if root not in seen:
        _descend(walk, root, [], want_code=False)
    return Found(root, tuple(sorted(walk.code)), tuple(sorted(walk.texts)), root in seen)


_Ignored = list[tuple[str, GitIgnoreSpec]]


def _above(walk: _Walk, folder: Path) -> _Ignored:
    """The .gitignore files of the folders above this one, from the root down; none of them when
    they leave this very folder out: it was asked for."""
    root = walk.root
    specs: _Ignored = []
    for each in reversed([one for one in folder.parents if one == root or root in one.parents]):
        specs += _ignore_of(each, root)
    name = folder.relative_to(root).as_posix() + "/"
    return [] if folder != root and _is_ignored(walk, name + "x", specs) else specs


def _ignore_of(folder: Path, root: Path) -> _Ignored:
    file = folder / ".gitignore"
    try:
        lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return []
    prefix = "" if folder == root else folder.relative_to(root).as_posix() + "/"
    return [(prefix, GitIgnoreSpec.from_lines(lines))]


def _descend(walk: _Walk, folder: Path, above: _Ignored, *, want_code: bool) -> None:
    """Take what lies below a folder. Names are joined as text: a Path for each entry of a large
    project takes longer than all else here."""
    root = walk.root
    start = "" if folder == root else folder.relative_to(root).as_posix() + "/"
    waiting = [(folder.as_posix(), start, above)]
    while waiting:
        path, prefix, ignored = waiting.pop()
        entries = sorted(os.scandir(path), key=lambda one: one.name)
        names = {entry.name for entry in entries}
        if "pyvenv.cfg" in names and prefix != start:
            continue
        if ".gitignore" in names:
            ignored = ignored + _ignore_of(Path(path), root)
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in NEVER and not _is_ignored(walk, name + "/", ignored):
                    waiting.append((entry.path, name + "/", ignored))
            elif entry.is_file() and (
                # A .env is nearly always ignored, and its example often by the same pattern.
                (_is_environment(entry.name) and not walk.exclude.match_file(name))
                or not _is_ignored(walk, name, ignored)
            ):
                _take(walk, entry, name, want_code=want_code)


def _take(walk: _Walk, entry: os.DirEntry[str], name: str, *, want_code: bool) -> None:
    if entry.name.endswith(CODE):
        if want_code:
            walk.code.add(name)
    elif is_text(entry.name) and entry.stat().st_size <= TEXT_BYTES:
        walk.texts.add(name)


def _is_environment(name: str) -> bool:
    lower = name.lower()
    return lower.startswith((".env", "env.")) or lower.endswith(".env")


def is_text(name: str) -> bool:
    """Whether a file beside the code may name or set configuration."""
    lower = name.lower()
    return (
        _is_environment(name) or lower.endswith(_TEXTS)
        or lower.partition(".")[0] in _TEXT_NAMES or ".env." in lower
    )  # fmt: skip


def _is_ignored(walk: _Walk, name: str, ignored: _Ignored) -> bool:
    if walk.exclude.match_file(name):
        return True
    verdict = False
    for prefix, spec in ignored:
        if name.startswith(prefix):
            result = spec.check_file(name[len(prefix) :])
            if result.include is not None:
                verdict = result.include
    return verdict
