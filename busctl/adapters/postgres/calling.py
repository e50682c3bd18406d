"""The hot calls straight on libpq: a prepared statement, binary values in, one binary row out.

psycopg's cursor finds out anew at each execution what types the values and the result have
(1 KB: 40 µs of the client's time a put, 25 a get, measured); of these calls both are known.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from psycopg import generators
from psycopg.errors import DuplicatePreparedStatement, error_from_result
from psycopg.pq import ExecStatus

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn, PGresult

BINARY = 1
_PLACEHOLDER = re.compile(r"%\((\w+)\)b")

Values = Mapping[str, bytes | None]
"""A call's parameters by name, each in PostgreSQL's binary format."""


class Call:
    """A named query with `%(name)b` placeholders, as libpq takes it: `$1`, `$2` … `quick`: it waits
    for no disk and no lock."""

    def __init__(self, query: str, *, quick: bool = False) -> None:
        self.quick = quick
        self.names = tuple(dict.fromkeys(_PLACEHOLDER.findall(query)))
        places = {name: f"${place}" for place, name in enumerate(self.names, 1)}
        self.text = _PLACEHOLDER.sub(lambda match: places[match[1]], query).encode()
        self.formats = [BINARY] * len(self.names)
        # The name says what the statement is: whoever shares a server connection with us, through
        # a pooler that was not noticed, means the same by it.
        self.name = b"busctl_" + hashlib.sha256(self.text).hexdigest()[:24].encode()


@cache
def call(query: str, *, quick: bool = False) -> Call:
    """That query, taken apart once a process."""
    return Call(query, quick=quick)


class Statements:
    """What is prepared on one connection. A statement is prepared when it is called for the
    `threshold` + 1st time (None: never, as behind a transaction pooler): a command that calls it
    once pays no second round trip."""

    def __init__(self, threshold: int | None) -> None:
        self.threshold = threshold
        self._names: dict[Call, bytes] = {}
        self._calls: dict[Call, int] = {}
        self._forgotten = 0

    def forget(self) -> None:
        """The server no longer knows them, or knows them otherwise: new names from here on."""
        self._names.clear()
        self._forgotten += 1

    def run(self, pgconn: PGconn, wanted: Call, values: Values) -> PQGen[PGresult]:
        """Execute a call; its result has exactly the rows it gave. Raises psycopg.Error."""
        given = [values[name] for name in wanted.names]
        name = yield from self._name_of(pgconn, wanted)
        if name is None:
            pgconn.send_query_params(
                wanted.text, given, param_formats=wanted.formats, result_format=BINARY
            )
        else:
            pgconn.send_query_prepared(
                name, given, param_formats=wanted.formats, result_format=BINARY
            )
        return (yield from _answered(pgconn, ExecStatus.TUPLES_OK))

    def _name_of(self, pgconn: PGconn, wanted: Call) -> PQGen[bytes | None]:
        name = self._names.get(wanted)
        if name is not None or self.threshold is None:
            return name
        calls = self._calls[wanted] = self._calls.get(wanted, 0) + 1
        if calls <= self.threshold:
            return None
        name = b"%s_%d" % (wanted.name, self._forgotten)
        pgconn.send_prepare(name, wanted.text)
        with suppress(DuplicatePreparedStatement):  # the same, prepared by another client
            yield from _answered(pgconn, ExecStatus.COMMAND_OK)
        self._names[wanted] = name
        return name


def _answered(pgconn: PGconn, wanted: ExecStatus) -> PQGen[PGresult]:
    results: list[PGresult] = yield from generators.execute(pgconn)
    result = results[-1]
    if result.status != wanted:
        raise error_from_result(result)
    return result
