"""Which files are looked at: those given, and those below the folders given that git would keep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from busctl.audit.patterns import matchable, spec_of

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
    the root itself was asked for. `missed`: what cannot be looked into, and why."""

    root: Path
    code: tuple[str, ...]
    texts: tuple[str, ...]
    whole: bool = True
    missed: tuple[tuple[str, OSError], ...] = ()


@dataclass(slots=True)
class _Walk:
    root: Path
    exclude: GitIgnoreSpec
    code: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    links: dict[str, Path] = field(default_factory=dict)
    missed: dict[str, OSError] = field(default_factory=dict)


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
    walk = _Walk(root, spec_of(exclude))
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
    _add_links(walk)
    code, texts = tuple(sorted(walk.code)), tuple(sorted(walk.texts))
    return Found(root, code, texts, root in seen, tuple(sorted(walk.missed.items())))


def _add_links(walk: _Walk) -> None:
    """Links to code that is looked at where it lies would tell each of its faults twice."""
    there = {walk.root / name for name in walk.code} if walk.links else set()
    for name, real in sorted(walk.links.items()):
        if real not in there:
            there.add(real)
            walk.code.add(name)


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
    if not file.is_file():  # a pipe of that name would be waited for
        return []
    try:
        lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []  # as git, which takes what it cannot read for absent
    prefix = "" if folder == root else folder.relative_to(root).as_posix() + "/"
    return [(prefix, spec_of(lines))]


def _descend(walk: _Walk, folder: Path, above: _Ignored, *, want_code: bool) -> None:
    """Take what lies below a folder. Names are joined as text: a Path for each entry of a large
    project takes longer than all else here."""
    root = walk.root
    start = "" if folder == root else folder.relative_to(root).as_posix() + "/"
    waiting = [(folder.as_posix(), start, above)]
    while waiting:
        path, prefix, ignored = waiting.pop()
        entries = _entries(walk, path, prefix, want_code=want_code)
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
            elif _is_file(entry) and (
                # A .env is nearly always ignored, and its example often by the same pattern.
                (_is_environment(entry.name) and not walk.exclude.match_file(matchable(name)))
                or not _is_ignored(walk, name, ignored)
            ):
                _take(walk, entry, name, want_code=want_code)


def _entries(
    walk: _Walk, path: str, prefix: str, *, want_code: bool
) -> list[os.DirEntry[str]]:  # fmt: skip
    try:
        return sorted(os.scandir(path), key=lambda one: one.name)
    except FileNotFoundError:
        return []  # gone since it was listed
    except OSError as error:
        if want_code:
            walk.missed[prefix.rstrip("/") or "."] = error
        return []


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False  # a link that leads to itself


def _take(walk: _Walk, entry: os.DirEntry[str], name: str, *, want_code: bool) -> None:
    if entry.name.endswith(CODE):
        if want_code and entry.is_symlink():
            walk.links[name] = Path(os.path.realpath(entry.path))
        elif want_code:
            walk.code.add(name)
    elif is_text(entry.name) and _size_of(entry) <= TEXT_BYTES:
        walk.texts.add(name)


def _size_of(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0  # gone since it was listed: it will have no text


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
    name = matchable(name)
    if walk.exclude.match_file(name):
        return True
    verdict = False
    for prefix, spec in ignored:
        if name.startswith(prefix := matchable(prefix)):
            result = spec.check_file(name[len(prefix) :])
            if result.include is not None:
                verdict = result.include
    return verdict
