"""What a database really has in schema bus, as lines that are equal on every supported version."""

from __future__ import annotations

import psycopg

from busctl.adapters.sqlfiles import queries

PARTS = (
    "catalog_relation", "catalog_column", "catalog_constraint", "catalog_index", "catalog_type",
    "catalog_function", "catalog_policy", "catalog_trigger", "catalog_grant",
    "catalog_faulty_partition",
)  # fmt: skip


async def catalog_lines(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> list[str]:
    """The sorted lines `kind name: description` of schema bus, all of one moment.

    Raises psycopg.Error.
    """
    lines: list[str] = []
    async with connection.transaction():
        # Names are printed qualified by what is not on the path: it must be the same everywhere.
        await connection.execute(
            "set transaction isolation level repeatable read, read only; set local search_path = ''"
        )
        for part in PARTS:
            cursor = await connection.execute(queries()[part].encode())
            lines += [str(row[0]) for row in await cursor.fetchall()]
    return sorted(lines)
