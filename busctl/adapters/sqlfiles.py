"""The SQL that busctl ships: `sql/queries/*.sql` (named queries) and `sql/migrations/*.sql`.

In a wheel the folder is `busctl/sql`; in a checkout it lies beside the package.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from pathlib import Path

from busctl.core.migration import Migration

_NAME = re.compile(r"^-- name: (?P<name>[a-z_]+) :(?P<kind>one|many|none)\s*$", re.MULTILINE)
_MIGRATION = re.compile(r"^(?P<version>\d{14})_(?P<name>[a-z0-9_]+)\.sql$")


@cache
def folder() -> Path:
    """Where the SQL files lie."""
    shipped = Path(__file__).parent.parent / "sql"
    return shipped if shipped.is_dir() else Path(__file__).parent.parent.parent / "sql"


@cache
def queries() -> dict[str, str]:
    """Every named query by its name: `-- name: message_find :one` and the SQL below it."""
    found: dict[str, str] = {}
    for path in sorted((folder() / "queries").glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        marks = list(_NAME.finditer(text))
        for mark, following in zip(marks, [*marks[1:], None], strict=True):
            end = following.start() if following else len(text)
            found[mark["name"]] = text[mark.end() : end].strip().rstrip(";")
    return found


@cache
def migrations() -> tuple[Migration, ...]:
    """All shipped migrations, oldest first."""
    found = []
    for path in sorted((folder() / "migrations").glob("*.sql")):
        if match := _MIGRATION.match(path.name):
            up = path.read_text(encoding="utf-8")
            down = path.with_name(f"{path.stem}.down.sql").read_text(encoding="utf-8")
            digest = sha256(up.encode()).hexdigest()
            found.append(Migration(match["version"], match["name"], up, down, digest))
    return tuple(found)


@cache
def snapshot() -> tuple[str, ...]:
    """The lines that the catalog of a fully migrated database must have."""
    return tuple((folder() / "schema.snapshot").read_text(encoding="utf-8").splitlines())
