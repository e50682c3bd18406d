"""Which failures of a statement are worth another try, and how it is tried.

Only what PostgreSQL says of itself is retried; a server that cannot be reached is the breaker's
business, and the spool's. SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

from busctl.core.errors import BusctlError

Result = TypeVar("Result")

FIRST_WAIT_SECS = 0.05
LONGEST_WAIT_SECS = 0.5
JITTER_SECS = 0.1

UNDONE = frozenset({
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected: the server's advice is to try again
    "55P03",  # lock_not_available
    "55006",  # object_in_use
    "57P03",  # cannot_connect_now: starting up or shutting down, said by a pooler in mid-session
    "53300",  # too_many_connections, said by a pooler in mid-session
})  # fmt: skip
"""The server has undone the transaction: any statement may be tried again."""
UNKNOWN = frozenset({
    "40003",  # statement_completion_unknown
    "57P01",  # admin_shutdown: pg_terminate_backend, a pooler's restart
    "57P02",  # crash_shutdown
    "57P05",  # idle_session_timeout
    "08000", "08003", "08006", "08007",  # connection_exception and its kin
})  # fmt: skip
"""The connection has gone and whether it was committed is not known: what is the same when it is
done twice is done again, which tells."""

log = logging.getLogger("busctl.store")


def is_transient(error: BaseException, *, repeatable: bool) -> bool:
    """Whether what failed so, under its own name or the server's, may be tried again. A connection
    that broke without a word from the server has no SQLSTATE; the words libpq has for that are not
    looked at."""
    said = error.__cause__ if isinstance(error, BusctlError) else error
    if not isinstance(said, psycopg.Error) or said.sqlstate is None:
        return False
    return said.sqlstate in UNDONE or (repeatable and said.sqlstate in UNKNOWN)


async def patiently(
    attempt: Callable[[], Awaitable[Result]], *, repeatable: bool = True, attempts: int = 4,
    deadline: float = 2.0,
) -> Result:  # fmt: skip
    """Attempt it; again, with growing pauses, as long as its failures are transient and the
    deadline has not passed. `repeatable`: doing it twice is as doing it once. Raises the last
    failure."""
    try:
        return await attempt()
    except BusctlError as error:
        if not is_transient(error, repeatable=repeatable):
            raise
        log.info("store tried again", extra={"error": error.message})
    return await _again(attempt, repeatable, attempts - 1, deadline)


async def _again(
    attempt: Callable[[], Awaitable[Result]], repeatable: bool, attempts: int, deadline: float
) -> Result:
    own = "stamina" not in sys.modules
    import stamina  # 90 ms that nobody pays who has no failure

    if own:
        # Whoever brought stamina decides how its retries are told; its default prints to stdout.
        stamina.instrumentation.set_on_retry_hooks(())
    caller = stamina.AsyncRetryingCaller(
        attempts=attempts, timeout=deadline, wait_initial=FIRST_WAIT_SECS,
        wait_max=LONGEST_WAIT_SECS, wait_jitter=JITTER_SECS,
    )  # fmt: skip
    return await caller(lambda error: is_transient(error, repeatable=repeatable), attempt)
