"""Every failure that busctl names.

An error says what happened, to which transaction id, and what to do (`remedy`). The exit codes
are those of the command line: 1 something is wrong, 2 the command line or configuration is
wrong, 3 could not look, 75 another run holds the lock (EX_TEMPFAIL of sysexits.h).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID


class BusctlError(Exception):
    """Base of all named errors. `code` is the wire name, `exit_code` the process's."""

    code: ClassVar[str] = "ERROR"
    exit_code: ClassVar[int] = 1
    default_remedy: ClassVar[str] = ""

    def __init__(
        self, message: str, *, transaction_id: UUID | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.transaction_id = transaction_id
        self.remedy = self.default_remedy if remedy is None else remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class ConfigurationError(BusctlError):
    """The command line or the configuration is wrong."""

    code = "CONFIGURATION"
    exit_code = 2


class InvalidId(ConfigurationError):
    """The text is not a UUIDv7 transaction id."""

    code = "INVALID_ID"
    default_remedy = "Give the id as printed by `busctl put` or `busctl ls`."


# --- outcomes of redeeming a claim: found is the return value, each other one is an error -------


class ClaimError(BusctlError):
    """A claim was not redeemed; the subclass says which of the distinct outcomes it was."""


class MessageMissing(ClaimError):
    """No message with this id ever existed in this store."""

    code = "MISSING"
    default_remedy = "Check the id, and that DATABASE_URL names the store it was put in."


class MessageExpired(ClaimError):
    """The message existed and its time is over."""

    code = "EXPIRED"
    default_remedy = "Call the tool again; `busctl pin ID` keeps a costly answer."


class MessageCorrupt(ClaimError):
    """Stored bytes differ from the digest taken when they were produced.

    `chunk` is the 0-based chunk number (None for an in-row body), `byte_range` the half-open
    range of raw payload bytes it covers. `came` is the size and SHA-256 (hex) of what came in place
    of the payload, where that was measured.
    """

    code = "CORRUPT"
    default_remedy = "Call the tool again, and look at the store's disk and backups."

    def __init__(
        self,
        message: str,
        *,
        transaction_id: UUID | None = None,
        remedy: str | None = None,
        chunk: int | None = None,
        byte_range: tuple[int, int] | None = None,
        came: tuple[int, str] | None = None,
    ) -> None:
        super().__init__(message, transaction_id=transaction_id, remedy=remedy)
        self.chunk = chunk
        self.byte_range = byte_range
        self.came = came


class SpoolDamaged(MessageCorrupt):
    """A file of the spool is not what was written there."""

    default_remedy = "Call the tool again, and look at that disk."


class AccessDenied(ClaimError):
    """The principal or the database role may not do this."""

    code = "DENIED"
    default_remedy = "Use the token or the database role that owns the message."


class StoreUnreachable(ClaimError):
    """The store could not be asked; nothing is known about the message."""

    code = "STORE_UNAVAILABLE"
    exit_code = 3
    default_remedy = "Check DATABASE_URL and the server, then try again."
    retry_after: float | None = None
    """Seconds after which the store is tried again, when that is known."""
    asked: bool = True
    """Whether the statement may have reached the server: False when there was no connection."""
    busy: bool = False
    """It moves: this process's own work has every connection that it may have."""


class StoreTimeout(StoreUnreachable):
    """One statement or chunk made no progress within the read or write timeout."""

    code = "STORE_TIMEOUT"
    default_remedy = (
        "Try again, or raise MESSAGE_BUS_READ_TIMEOUT_SECS / MESSAGE_BUS_WRITE_TIMEOUT_SECS."
    )


class StoreUntrusted(StoreUnreachable):
    """The server did not prove that it is the one that DATABASE_URL names; nothing was sent."""

    code = "STORE_UNTRUSTED"
    default_remedy = (
        "Name the certificate of its authority in BUSCTL_SSLROOTCERT (a PEM file), or state "
        "another sslmode in DATABASE_URL."
    )


# --- following ---------------------------------------------------------------------------------


class CursorHeld(BusctlError):
    """Another follower of that name has the batch just now."""

    code = "CURSOR_HELD"


class CursorMoved(BusctlError):
    """Another follower of that name has done the batch; what was written for it is undone."""

    code = "CURSOR_MOVED"
    default_remedy = "Go on with the next batch."


class CursorForeign(ConfigurationError):
    """The follower's place is one of another database cluster (a dump that was restored here)."""

    code = "CURSOR_FOREIGN"
    default_remedy = "Say with --since from when on it is to begin here (--since 1s: from now on)."


class MessagesForeign(ConfigurationError):
    """Messages that were restored here count transactions as another database cluster did."""

    code = "MESSAGES_FOREIGN"
    default_remedy = 'Have them count as here, once: psql -c "select bus.adopt_messages()".'


class ModelFailed(BusctlError):
    """A language model gave no answer."""

    code = "MODEL_FAILED"
    exit_code = 3
    default_remedy = "Look at BUSCTL_LLM_URL, BUSCTL_LLM_MODEL and the account of the key."


# --- searching ---------------------------------------------------------------------------------


class InvalidPlace(ConfigurationError):
    """What is asked of a message is not there: an offset behind its end, a line or block that it
    does not have, a negative length."""

    code = "INVALID_ARGUMENT"
    default_remedy = "`bus_info` tells its size and its blocks; bytes are counted from 0."


class InvalidPattern(ConfigurationError):
    """The pattern of a search cannot be read, or would need more than it may take."""

    code = "INVALID_PATTERN"
    default_remedy = (
        "Regular expressions are those of RE2 (no back-references, no looking around), paths those "
        "of RFC 9535; or search for the text itself (literal)."
    )


class NotJson(BusctlError):
    """A JSONPath was asked of a payload that is no JSON."""

    code = "NOT_JSON"
    default_remedy = "Search it with a regular expression or a literal."


class SearchTimedOut(BusctlError):
    """A search found nothing in the time it may take; the message says how far it came."""

    code = "SEARCH_TIMEOUT"
    exit_code = 3
    default_remedy = "Give a simpler pattern, go on from that byte, or raise the limit."


# --- refusals of a put -------------------------------------------------------------------------


class PayloadTooLarge(BusctlError):
    """The payload is over MESSAGE_BUS_MAX_PAYLOAD_MB, or an answer over a client's limit."""

    code = "TOO_LARGE"
    default_remedy = 'Raise MESSAGE_BUS_MAX_PAYLOAD_MB, or say `accepts: ["claim"]`.'


class OutsideHorizon(BusctlError):
    """The id's own time is too far from now for any partition."""

    code = "OUTSIDE_HORIZON"
    default_remedy = "Check the clock of the machine that made the id."


class TransactionConflict(BusctlError):
    """Another payload is stored under the same id."""

    code = "CONFLICT"
    default_remedy = "One id names one payload: make a new id for a new payload."


class DigestMismatch(BusctlError):
    """The bytes received are not those that were announced."""

    code = "DIGEST_MISMATCH"
    default_remedy = "Send the payload again; nothing was stored."


class SizeMismatch(BusctlError):
    """Fewer bytes came than were announced."""

    code = "SIZE_MISMATCH"
    default_remedy = "Send it again when its writer has ended; nothing was stored."


class BusDisabled(BusctlError):
    """MESSAGE_BUS_ENABLED is false."""

    code = "DISABLED"
    exit_code = 2
    default_remedy = "Set MESSAGE_BUS_ENABLED=true."


# --- store and schema --------------------------------------------------------------------------


class SchemaMissing(BusctlError):
    """The database has no bus schema."""

    code = "SCHEMA_MISSING"
    exit_code = 2
    default_remedy = "Run `busctl migrate up`."


class SchemaOutdated(BusctlError):
    """The bus schema is older or newer than this busctl needs."""

    code = "SCHEMA_OUTDATED"
    exit_code = 2
    default_remedy = "Run `busctl migrate up` (or upgrade busctl)."


class MigrationFailed(BusctlError):
    """A migration could not be applied; its transaction was rolled back."""

    code = "MIGRATION_FAILED"


class StoreReadOnly(BusctlError):
    """The database refuses writes (SQLSTATE 25006), as a Supabase project over its quota does."""

    code = "STORE_READ_ONLY"
    exit_code = 3
    default_remedy = "Free space with `busctl cleanup`, which works on a read-only project."


class StoreOverBudget(BusctlError):
    """The database is at the critical share of BUSCTL_DB_MAX_BYTES: nothing more is stored."""

    code = "STORE_OVER_BUDGET"
    exit_code = 3
    default_remedy = (
        "Free space with `busctl cleanup --max-db-bytes`, or raise BUSCTL_DB_MAX_BYTES."
    )


class AlertUndelivered(BusctlError):
    """A sink did not take an alert; the message says why."""

    code = "ALERT_UNDELIVERED"
    default_remedy = "Look at the sink's settings; `busctl alert test` tries it again."


class StoreFull(BusctlError):
    """The database server has no disk space left (SQLSTATE 53100)."""

    code = "STORE_FULL"
    exit_code = 3
    default_remedy = "Free space on the server's disk, or with `busctl cleanup`."


class SpoolFull(BusctlError):
    """The spool is at its bound, or its disk is full; the message says which."""

    code = "SPOOL_FULL"
    exit_code = 3
    default_remedy = (
        "Bring the store back and run `busctl reconcile`, or raise BUSCTL_SPOOL_MAX_MB."
    )


class StoreFailed(BusctlError):
    """The server answered with an error that has no name of its own here."""

    code = "STORE_FAILED"
    exit_code = 3
    default_remedy = "Read the server's log; the SQLSTATE is in the message."


class EmbeddedStoreError(BusctlError):
    """The embedded PostgreSQL could not be installed, started or stopped."""

    code = "EMBEDDED_STORE"
    exit_code = 3


class BackupDamaged(BusctlError):
    """A backup is not what was written, or none of ours; a store was not changed."""

    code = "BACKUP_DAMAGED"
    exit_code = 1
    default_remedy = "Use another backup; the store was not changed."


class StoreThere(BusctlError):
    """A store lies where one is to be restored."""

    code = "STORE_EXISTS"
    exit_code = 2
    default_remedy = "Back it up, then give --replace, or set BUSCTL_STORE_DIR to a new folder."


class LockHeld(BusctlError):
    """Another run of the same operation is under way."""

    code = "LOCK_HELD"
    exit_code = 75
    default_remedy = "Wait for the other run, or find it with `busctl ls` on its host."


class FileFailed(BusctlError):
    """A file or stream could not be read or written; the store is not concerned."""

    code = "FILE_FAILED"
    default_remedy = "Free space, correct the permissions or name another file, then try again."


class Unforeseen(BusctlError):
    """A fault of busctl itself: an exception that nothing expected."""

    code = "UNFORESEEN"
    exit_code = 3
    default_remedy = "Report it with the command line and this message: it is a fault of busctl."


class ArchiveError(BusctlError):
    """An archive of messages is damaged, incomplete or not one of ours."""

    code = "ARCHIVE"


# --- tools and the daemon ----------------------------------------------------------------------


class ToolNotFound(BusctlError):
    """No tool has this name."""

    code = "TOOL_NOT_FOUND"
    default_remedy = "List the tools with `busctl call --list`, or `list_tools`."


class ToolFailed(BusctlError):
    """The tool raised; the message carries the exception's type and text."""

    code = "EXEC_ERROR"


class ProviderRefused(ToolFailed):
    """A provider of language models took the request and refused it."""

    code = "PROVIDER_REFUSED"


class ProviderUnauthorized(ToolFailed):
    """The provider does not take the key; the message names its variable, never the key."""

    code = "PROVIDER_UNAUTHORIZED"
    exit_code = 2


class ProviderQuota(ToolFailed):
    """The account has no balance or quota left."""

    code = "PROVIDER_QUOTA"
    exit_code = 3
    default_remedy = "Look at the account's balance and plan at the provider."


class ProviderBusy(ToolFailed):
    """The provider had no room, or could not be reached, as often as it was tried. `retry_after` in
    seconds, where it said so."""

    code = "PROVIDER_BUSY"
    exit_code = 3
    default_remedy = "Call again later."

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AnswerCut(ToolFailed):
    """A streamed answer that broke off: what came of it is kept as a message of type error, under
    the id that goes with this."""

    code = "ANSWER_CUT"
    default_remedy = "Call again; `busctl get` gives what came of it."


class InvalidArguments(BusctlError):
    """The arguments do not fit the tool's input schema."""

    code = "EXEC_ERROR"
    default_remedy = "See the tool's inputSchema in `list_tools`."


class FileRefused(BusctlError):
    """A file is not taken. `reason` says why in a word (`core/files/manifest.py`)."""

    code = "FILE_REFUSED"

    def __init__(self, message: str, *, reason: str, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class UpstreamUnavailable(BusctlError):
    """The upstream server is not there just now: nothing was run. `retry_after` is in seconds."""

    code = "UPSTREAM_UNAVAILABLE"
    exit_code = 3
    default_remedy = "It is started again by itself; the daemon's log has its standard error."

    def __init__(self, message: str, *, retry_after: float, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class UpstreamFailed(ToolFailed):
    """The upstream server answered with an error of JSON-RPC, or ended before it had answered.
    `rpc_code` is the error's number, None where the server gave none."""

    def __init__(
        self, message: str, *, rpc_code: int | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.rpc_code = rpc_code


class ResourceNotFound(BusctlError):
    """No upstream server has a resource of this URI."""

    code = "RESOURCE_NOT_FOUND"
    default_remedy = "List the resources with `resources/list`."


class PromptNotFound(BusctlError):
    """No upstream server has a prompt of this name."""

    code = "PROMPT_NOT_FOUND"
    default_remedy = "List the prompts with `prompts/list`."


class ConversationBusy(BusctlError):
    """Another turn of the conversation is being answered."""

    code = "CONVERSATION_BUSY"
    default_remedy = "Wait for its answer: the turns of a conversation follow one another."

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ContextExceeded(BusctlError):
    """What a call gives the model is over its context."""

    code = "CONTEXT_EXCEEDED"
    default_remedy = "Ask for less at a time, or name a model with a larger context."


class OverCapacity(BusctlError):
    """As many calls as allowed are running already; `retry_after` is in seconds."""

    code = "OVER_CAPACITY"
    exit_code = 3
    default_remedy = "Try again later, or raise the limit named in the message."

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CallTimedOut(BusctlError):
    """The call took longer than it may, and was ended."""

    code = "TIMEOUT"
    exit_code = 3
    default_remedy = (
        "Raise BUSCTL_CALL_TIMEOUT_SECS, or the tool's own timeout_secs, or ask the tool for less."
    )


class DuplicateRequest(BusctlError):
    """The same request id is being answered elsewhere, or names another call."""

    code = "DUPLICATE"
    default_remedy = "Send the request again later, or use another request_id."

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PeerGone(BusctlError):
    """The other end of the connection has left; there is nobody to tell."""

    code = "PEER_GONE"


class DrainingDaemon(BusctlError):
    """The daemon is stopping and takes or finishes no more calls."""

    code = "OVER_CAPACITY"
    exit_code = 3
    default_remedy = "Call again once the daemon has been started again."

    retry_after: ClassVar[float] = 5.0


class DaemonUnreachable(BusctlError):
    """No daemon answered at the address."""

    code = "DAEMON_UNREACHABLE"
    exit_code = 3
    default_remedy = "Start it with `busctl serve`, or set BUSCTL_HOST and BUSCTL_PORT."


class Unauthorized(BusctlError):
    """The token is missing or wrong."""

    code = "UNAUTHORIZED"
    exit_code = 2
    default_remedy = "Set BUSCTL_TOKEN to the daemon's token."


class CallFailed(BusctlError):
    """The daemon answered a call with an error of the dialect."""

    code = "EXEC_ERROR"

    def __init__(
        self,
        message: str,
        *,
        code: str = "EXEC_ERROR",
        transaction_id: UUID | None = None,
        remedy: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, transaction_id=transaction_id, remedy=remedy)
        self.error_code = code
        self.retry_after = retry_after


class ProtocolError(BusctlError):
    """The peer sent something that the dialect does not allow."""

    code = "PROTOCOL"


class InvalidLabel(ConfigurationError):
    """A label or metadata value cannot be stored as text (NUL, lone surrogate, not JSON)."""

    code = "INVALID_LABEL"
    default_remedy = "Put bytes in the payload; labels are text and metadata is JSON."


class ConfigurationInvalid(ConfigurationError):
    """The configuration is not allowed: `faults` are all wrongs, `warnings` what is only odd."""

    code = "CONFIGURATION_INVALID"

    def __init__(self, faults: Sequence[str], warnings: Sequence[str] = ()) -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__("\n  ".join([f"The configuration has {count}:", *faults]))
        self.faults = list(faults)
        self.warnings = list(warnings)
