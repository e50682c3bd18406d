"""Writes sql/schema.snapshot anew: `python -m tests.sql.snapshot`, after a change of a migration.

A test compares the file with what the migrations make on the oldest and the newest PostgreSQL.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from busctl.adapters import embedded
from busctl.adapters.postgres.migrator import Migrator

SNAPSHOT = Path(__file__).parents[2] / "sql" / "schema.snapshot"
HEADER = """\
# What schema bus holds when all migrations are applied; `busctl migrate verify` compares with it.
# Written by `python -m tests.sql.snapshot`. (owner) is whoever owns the schema.
"""


async def lines_of(dsn: str) -> list[str]:
    """Migrate that database and describe what it has then."""
    async with await Migrator.connect(dsn) as migrator:
        await migrator.up()
        return await migrator.catalog()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="busctl-snapshot-") as folder:
        Path(folder).chmod(0o755)
        with embedded.acquire(Path(folder) / "store") as lease:
            lines = asyncio.run(lines_of(lease.server.dsn))
    SNAPSHOT.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} lines written to {SNAPSHOT}")


if __name__ == "__main__":
    main()
