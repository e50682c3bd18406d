"""The published packages that labels speak of, exactly in the version they name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import platformdirs
from filelock import FileLock

# What one pip waits for is mostly the network; more at once only take the cores from one another.
_AT_ONCE = 8
LARGE = ("homeassistant==", "ray==", "sglang==", "vllm==")
"""Hundreds of megabytes a wheel: fetched with --whole-corpus alone."""


class CannotFetch(Exception):
    """The package index does not give this package in this version."""


def unpack(sources: Iterable[str]) -> None:
    """Fetch those that are not in the cache yet, several at once. Raises CannotFetch."""
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        list(workers.map(unpacked, sorted(set(sources))))


def unpacked(source: str) -> Path:
    """The folder with the Python files of PACKAGE==VERSION, fetched once and kept in the user's
    cache.

    A wheel's files, or those inside the top folder of the sdist where there is no wheel. Raises
    CannotFetch.
    """
    kept = Path(platformdirs.user_cache_dir("busctl")) / "corpus" / source
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(kept.with_name(f"{source}.lock")):
        if not kept.is_dir():  # another test process may have been first
            with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
                archive = _fetch(source, Path(scratch))
                _unpack(archive, Path(scratch) / "files").rename(kept)
    return kept


def _fetch(source: str, scratch: Path) -> Path:
    said = []
    for kind in ("--only-binary", "--no-binary"):
        done = subprocess.run(
            [
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind, ":all:",
                # Read, not run: a package for a newer Python is looked at all the same.
                "--ignore-requires-python", "--dest", str(scratch), source,
            ],
            capture_output=True, text=True, check=False, env={**os.environ, "PIP_NO_INPUT": "1"},
        )  # fmt: skip
        found = [each for each in scratch.iterdir() if each.suffix in (".whl", ".gz", ".zip")]
        if done.returncode == 0 and len(found) == 1:
            return _verified(source, found[0])
        said.append(done.stderr.strip()[-400:])
    raise CannotFetch(f"{source}: {' / '.join(said)}")


def _verified(source: str, archive: Path) -> Path:
    name, _, version = source.partition("==")
    stem = archive.name.lower().replace("_", "-")
    if not stem.startswith(f"{name.lower().replace('_', '-')}-{version}"):
        raise CannotFetch(f"{source}: the index gave {archive.name}")
    return archive


def _unpack(archive: Path, folder: Path) -> Path:
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder, [name for name in files.namelist() if name.endswith(".py")])
        return folder
    with tarfile.open(archive) as files:
        sources = [member for member in files.getmembers() if member.name.endswith(".py")]
        files.extractall(folder, sources, filter="data")
    shutil.move(next(folder.iterdir()), folder.with_name("top"))
    return folder.with_name("top")
