"""A folder of migration files that another tool applies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def first_lines(folder: Path) -> dict[str, str]:
    """The first line of each .sql file by its name; empty where there is no such folder."""
    lines = {}
    for path in sorted(folder.glob("*.sql")):
        with path.open(encoding="utf-8", errors="replace") as file:
            lines[path.name] = file.readline().rstrip("\r\n")
    return lines


def write(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    """Write new files, each whole or not at all. Raises FileExistsError, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files:
        unfinished = folder / f".{name}.unfinished"
        unfinished.write_text(text, encoding="utf-8")
        try:
            # A link never replaces a file that somebody else has put there meanwhile.
            (folder / name).hardlink_to(unfinished)
        finally:
            unfinished.unlink()
