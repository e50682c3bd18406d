"""Statements sent one behind the other without waiting for their answers (libpq's pipeline mode).

The server starts the next one the moment it is done with the one before, and a hosted database
takes one round trip for all. psycopg's own `Pipeline.sync()` hangs with parameters of 1 MB
(3.3.9, measured): here each statement is pushed out whole, answers are taken in meanwhile, and
nothing but the kernel's buffers holds what the server has not read yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from psycopg.errors import Error, error_from_result
from psycopg.pq import ExecStatus
from psycopg.waiting import Ready, Wait

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn

BINARY = 1
UNNAMED = b""
"""One prepared statement without a name: it leaves nothing behind on a pooler's connection."""


def numbered(query: str) -> bytes:
    """A named query's `%b` placeholders as `$1`, `$2` …, which libpq itself understands."""
    numbers = count(1)
    return re.sub("%b", lambda _: f"${next(numbers)}", query).encode()


class Pipe:
    """A connection in pipeline mode that executes one statement over and over.

    After an error, which the server reports at once, it refuses the rest, and `send` or `finish`
    raises it (psycopg.Error). `finish` must come before the connection does anything else: its
    sync is the only point at which the server hands over what it has to say otherwise.
    """

    def __init__(self, pgconn: PGconn, statement: bytes) -> None:
        self._pgconn = pgconn
        self._unanswered = 0
        self._error: Error | None = None
        pgconn.enter_pipeline_mode()
        pgconn.send_prepare(UNNAMED, statement)
        self._unanswered += 1

    def send(self, values: Sequence[bytes]) -> PQGen[None]:
        """Execute the statement with these values, each in PostgreSQL's binary format. Returns
        when the kernel has taken it, or raises what was wrong with an earlier one."""
        self._pgconn.send_query_prepared(
            UNNAMED, values, param_formats=[BINARY] * len(values), result_format=BINARY
        )
        self._unanswered += 1
        while self._pgconn.flush():
            if (yield Wait.RW) & Ready.R:
                self._pgconn.consume_input()
        self._pgconn.consume_input()
        self._take_answers()
        if self._error is not None:
            yield from self.finish()

    def finish(self) -> PQGen[None]:
        """Wait for every answer and leave pipeline mode. Raises the first error."""
        self._pgconn.pipeline_sync()
        self._unanswered += 1
        while self._unanswered:
            if (yield Wait.RW if self._pgconn.flush() else Wait.R) & Ready.R:
                self._pgconn.consume_input()
            self._take_answers()
        self._pgconn.exit_pipeline_mode()
        if self._error is not None:
            raise self._error

    def _take_answers(self) -> None:
        while self._unanswered and not self._pgconn.is_busy():
            answer = self._pgconn.get_result()
            if answer is None:  # the end of one statement's results
                continue
            self._unanswered -= 1
            if answer.status == ExecStatus.FATAL_ERROR and self._error is None:
                self._error = error_from_result(answer)
