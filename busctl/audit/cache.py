"""What was seen of files before, by their content, their path, the rules and this version.

A key says all that the result depends on, so an entry is never stale; what cannot be read or
written is as if it were not there: the audit then takes longer, and says the same.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

from busctl.audit.examining import Examined
from busctl.audit.rule import Rule
from busctl.audit.shapes import packed, unpacked

KEPT_ENTRIES = 100_000
_BATCH = 500


class Cache:
    """`with Cache(file, rules) as cache:`; `file` None keeps nothing."""

    def __init__(self, file: Path | None, rules: Sequence[Rule]) -> None:
        self._base = _digest_of(rules)
        self._connection = _opened(file) if file is not None else None

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def key(self, path: str, content: bytes) -> bytes:
        """What the result of this file depends on."""
        return sha256(
            self._base + path.encode("utf-8", "surrogateescape") + b"\0" + content
        ).digest()

    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Examined]:
        """What is there of these keys."""
        found: dict[bytes, Examined] = {}
        if self._connection is None:
            return found
        for start in range(0, len(keys), _BATCH):
            some = keys[start : start + _BATCH]
            marks = ",".join("?" * len(some))
            try:
                rows = self._connection.execute(
                    f"select key, value from examined where key in ({marks})",  # noqa: S608  # question marks only
                    some,
                ).fetchall()
                found |= {key: unpacked(value) for key, value in rows}
            except (sqlite3.Error, ValueError, KeyError, TypeError):
                return found  # a damaged cache is not trusted: the files are looked at again
        return found

    def keep(self, results: Iterable[tuple[bytes, Examined]]) -> None:
        """Add these; the oldest leave once there are too many."""
        if self._connection is None:
            return
        rows = [(key, packed(examined)) for key, examined in results]
        try:
            with self._connection:
                self._connection.executemany("insert or replace into examined values (?, ?)", rows)
                self._connection.execute(
                    "delete from examined where rowid <="
                    " (select max(rowid) - ? from examined)", (KEPT_ENTRIES,),
                )  # fmt: skip
        except sqlite3.Error:
            # Read-only, full, locked by another run: the next one looks at these files again.
            self._connection.close()
            self._connection = None


def _opened(file: Path) -> sqlite3.Connection | None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(file, timeout=1)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = off")
        connection.execute(
            "create table if not exists examined (key blob unique not null, value blob not null)"
        )
    except (OSError, sqlite3.Error):
        return None  # no cache here: everything is looked at, and the result is the same
    return connection


def _digest_of(rules: Sequence[Rule]) -> bytes:
    """The engine, the rules, and all else that is loaded of their packages: what rules share lies
    beside them, above them or in a folder of its own."""
    packs = {type(rule).__module__.partition(".")[0] for rule in rules}
    files: set[Path] = set(Path(__file__).parent.rglob("*.py"))
    for name, module in sys.modules.copy().items():
        file = getattr(module, "__file__", None)
        if file and name.partition(".")[0] in packs:
            files.add(Path(file))
    digest = sha256(f"{version('busctl')} {version('libcst')} {sys.version}".encode())
    for file in sorted(files):
        digest.update(file.as_posix().encode())
        if file.is_file():  # not one in an archive, which has the version of its package
            digest.update(sha256(file.read_bytes()).digest())
    for rule in rules:
        digest.update(rule.code.encode())
    return digest.digest()
