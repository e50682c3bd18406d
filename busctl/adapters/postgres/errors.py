"""psycopg's errors to busctl's, at the edge. Connection strings never reach a message."""

from __future__ import annotations

from uuid import UUID

import psycopg

from busctl.core.errors import (
    AccessDenied,
    BusctlError,
    ConfigurationError,
    CursorForeign,
    CursorHeld,
    InvalidLabel,
    MessagesForeign,
    SchemaMissing,
    SchemaOutdated,
    StoreFailed,
    StoreFull,
    StoreReadOnly,
    StoreTimeout,
    StoreUnreachable,
    StoreUntrusted,
    TransactionConflict,
)

NO_PARTITION = "23514"
DENIED = "42501"
NO_ROLE = "22023"
"""What SET ROLE says of a role that is not there, among other things."""
NOT_GRANTED = (
    "Grant bus_writer, bus_reader and bus_janitor to this login, or use the one that ran "
    "`busctl migrate up`."
)
FAR = "Set the clock of this machine: ids have its time."
"""What to do where bus.ensure_partitions refuses."""
BROKEN = (
    "Run `busctl migrate up`; where it finds nothing to do, `busctl migrate verify` names what is "
    "missing."
)
NO_RELATION = "42P01"
MISSING = frozenset({"3F000", NO_RELATION})
AWAY_CLASS = "08"

# SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
KINDS: dict[str, type[BusctlError]] = {
    "25006": StoreReadOnly,
    DENIED: AccessDenied,
    "23505": TransactionConflict,
    **dict.fromkeys(("22021", "22P05"), InvalidLabel),
    **dict.fromkeys(MISSING, SchemaMissing),
    **dict.fromkeys(("42883", "42703", "42704"), SchemaOutdated),
    **dict.fromkeys(("57014", "55P03", "25P03", "57P05"), StoreTimeout),
    "53100": StoreFull,
    # Ours, raised by functions of the schema.
    "BU001": CursorHeld,
    "BU002": CursorForeign,
    "BU003": MessagesForeign,
    # Shut down, crashed, starting; no connections, memory or other means left; input and output.
    **dict.fromkeys(
        ("57P01", "57P02", "57P03", "53000", "53200", "53300", "53400", "58000", "58030"),
        StoreUnreachable,
    ),
}

# libpq has no codes for these: texts of src/interfaces/libpq/fe-secure-*.c and fe-connect.c.
UNTRUSTED: tuple[tuple[str, str | None], ...] = (
    (
        "does not match host name",
        "Use the host that the certificate names in DATABASE_URL (hostaddr= can give another "
        "address to reach it at).",
    ),
    (
        "does not support SSL",
        "Switch TLS on at the server; on a line that nobody else can read, state sslmode=disable "
        "in DATABASE_URL.",
    ),
    (
        "root certificate file",
        "Name a PEM file with the certificate of the server's authority in BUSCTL_SSLROOTCERT, or "
        "correct sslrootcert in DATABASE_URL.",
    ),
    ("certificate verify failed", None),
)


def mapped(error: psycopg.Error, transaction_id: UUID | None = None) -> BusctlError:
    """The named error for one of psycopg's; the message keeps the server's own first line."""
    kind = _kind(error)
    said = first_line(error)
    if kind is SchemaMissing:
        if error.sqlstate == NO_RELATION and "bus.migration" not in said:
            return SchemaMissing(f"The bus schema is not whole ({said}).", remedy=BROKEN)
        return SchemaMissing(f"This database has no bus schema ({said}).")
    about = f" (message {transaction_id})" if transaction_id else ""
    code = f" [SQLSTATE {error.sqlstate}]" if error.sqlstate else ""
    remedy = NOT_GRANTED if kind is AccessDenied else FAR if "too far ahead" in said else None
    return kind(
        f"The store said: {said}{code}{about}.", transaction_id=transaction_id, remedy=remedy
    )


def _kind(error: psycopg.Error) -> type[BusctlError]:
    state = error.sqlstate
    if state == NO_ROLE and "bus_" in first_line(error):
        return SchemaMissing  # a server on which `migrate up` never made the roles
    if state is None:
        # psycopg itself refused a value before anything was sent (a text with a NUL), or there
        # was no server to say anything.
        return InvalidLabel if isinstance(error, psycopg.DataError) else StoreUnreachable
    return KINDS.get(state, StoreUnreachable if state.startswith(AWAY_CLASS) else StoreFailed)


def not_connected(error: psycopg.Error) -> BusctlError:
    """Why no connection could be made. What libpq says of a connection string it cannot read may
    quote a password, so only the name of an unknown URI parameter is kept of it."""
    if not isinstance(error, psycopg.ProgrammingError):
        away = _untrusted(error) or StoreUnreachable(
            f"The store did not let us in: {first_line(error)}."
        )
        away.asked = False
        return away
    said = first_line(error)
    reason = f": {said}" if said.startswith("invalid URI query parameter") else ""
    return ConfigurationError(
        f"DATABASE_URL cannot be read by libpq{reason}.",
        remedy="Write postgresql://user:password@host:port/database with the password "
        "percent-encoded, or libpq's own key=value pairs.",
    )


def _untrusted(error: psycopg.Error) -> StoreUntrusted | None:
    """The refusal, if it was ours: a server that could not prove who it is."""
    for line in str(error).splitlines():
        for words, remedy in UNTRUSTED:
            if words in line:
                said = line.strip().removeprefix("- ").rstrip(".")
                return StoreUntrusted(f"The server is not trusted: {said}.", remedy=remedy)
    return None


def first_line(error: BaseException) -> str:
    """The first line of what the server or libpq said, without a final full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def is_no_partition(error: psycopg.Error) -> bool:
    """Whether an insert failed because the id's partition does not exist (yet)."""
    return error.sqlstate == NO_PARTITION and "no partition of relation" in str(error)
