"""psycopg's errors to busctl's, at the edge. Connection strings never reach a message."""

from __future__ import annotations

from uuid import UUID

import psycopg

from busctl.core.errors import (
    AccessDenied,
    BusctlError,
    ConfigurationError,
    InvalidLabel,
    SchemaMissing,
    SchemaOutdated,
    StoreFailed,
    StoreReadOnly,
    StoreTimeout,
    StoreUnreachable,
    TransactionConflict,
)

# SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
READ_ONLY = "25006"
NO_PARTITION = "23514"
UNIQUE = "23505"
DENIED = "42501"
NOT_TEXT = frozenset({"22021", "22P05"})
MISSING = frozenset({"3F000", "42P01"})
OUTDATED = frozenset({"42883", "42703", "42704"})
CANCELLED = frozenset({"57014", "55P03", "25P03", "57P05"})
AWAY = frozenset({"57P01", "57P02", "57P03", "53300", "53400"})
AWAY_CLASS = "08"


def mapped(error: psycopg.Error, transaction_id: UUID | None = None) -> BusctlError:
    """The named error for one of psycopg's; the message keeps the server's own first line."""
    state = error.sqlstate or ""
    said = first_line(error)
    about = f" (message {transaction_id})" if transaction_id else ""
    kind: type[BusctlError]
    match state:
        case "" if isinstance(error, psycopg.DataError):
            # psycopg itself refused a value before anything was sent: a text with a NUL.
            kind = InvalidLabel
        case _ if state in NOT_TEXT:
            kind = InvalidLabel
        case _ if state == READ_ONLY:
            kind = StoreReadOnly
        case _ if state == DENIED:
            kind = AccessDenied
        case _ if state == UNIQUE:
            kind = TransactionConflict
        case _ if state in MISSING:
            kind = SchemaMissing
        case _ if state in OUTDATED:
            kind = SchemaOutdated
        case _ if state in CANCELLED:
            kind = StoreTimeout
        case _ if state in AWAY or state.startswith(AWAY_CLASS) or not state:
            kind = StoreUnreachable
        case _:
            kind = StoreFailed
    if kind is SchemaMissing:
        return SchemaMissing(f"This database has no bus schema ({said}).")
    code = f" [SQLSTATE {state}]" if state else ""
    return kind(f"The store said: {said}{code}{about}.", transaction_id=transaction_id)


def not_connected(error: psycopg.Error) -> BusctlError:
    """Why no connection could be made. What libpq says of a connection string it cannot read may
    quote a password, so only the name of an unknown URI parameter is kept of it."""
    if not isinstance(error, psycopg.ProgrammingError):
        return StoreUnreachable(f"The store did not let us in: {first_line(error)}.")
    said = first_line(error)
    reason = f": {said}" if said.startswith("invalid URI query parameter") else ""
    return ConfigurationError(
        f"DATABASE_URL cannot be read by libpq{reason}.",
        remedy="Write postgresql://user:password@host:port/database with the password "
        "percent-encoded, or libpq's own key=value pairs.",
    )


def first_line(error: BaseException) -> str:
    """The first line of what the server or libpq said, without a final full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def is_no_partition(error: psycopg.Error) -> bool:
    """Whether an insert failed because the id's partition does not exist (yet)."""
    return error.sqlstate == NO_PARTITION and "no partition of relation" in str(error)
