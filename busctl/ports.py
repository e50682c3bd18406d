"""What the operations need from outside, as Protocols. Adapters implement them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from busctl.core.alert import Alert, Notice
from busctl.core.analysis import Reply
from busctl.core.diagnosis import Mode
from busctl.core.envelope import (
    Chunk,
    ClaimCheck,
    Compression,
    Envelope,
    Event,
    Labels,
    MessageType,
    Status,
)
from busctl.core.finding import Finding
from busctl.core.flow import Flow, Load, Now, Window
from busctl.core.following import Batch
from busctl.core.fsck import Inspected, Orphan
from busctl.core.health import Health
from busctl.core.journal import DaemonState, Kind, SystemEvent
from busctl.core.observation import Stage
from busctl.core.principal import Principal, Scope
from busctl.core.retention import Contents, Holding
from busctl.core.retention import Partition as Partition
from busctl.core.token import Token
from busctl.core.trace import Trace
from busctl.core.watch import Watch


class Clock(Protocol):
    """Time and randomness, so that nothing else asks the machine for them."""

    def unix_ms(self) -> int: ...
    def monotonic(self) -> float: ...
    def now(self) -> datetime: ...
    def new_id(self) -> UUID: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """An envelope before the store has given it its times. `created_at` None means now.

    `created_at` is only for messages that are older than their storing: imports, reconciling.
    """

    transaction_id: UUID
    labels: Labels
    payload_size_bytes: int
    checksum: bytes
    compression: Compression
    stored_size_bytes: int
    stored_checksum: bytes
    chunk_count: int
    ttl: timedelta
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """The store's answer to a put. `fresh` is False when the same payload was there already,
    `spooled` True when it waits in the spool for the store."""

    fresh: bool
    created_at: datetime
    expires_at: datetime
    spooled: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The part of an envelope that reading needs, and the body when it is in the row."""

    transaction_id: UUID
    payload_size_bytes: int
    stored_size_bytes: int
    chunk_count: int
    compression: Compression
    content_type: str
    owner: str
    checksum: bytes
    stored_checksum: bytes
    live: bool
    expires_at: datetime
    message_type: MessageType
    duration_ms: float
    body: bytes | None
    spooled: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One redemption to be recorded; `hop` is where it happened, `duration_ms` server-side."""

    transaction_id: UUID
    at: datetime
    duration_ms: float
    hop: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages to list. `after` continues a listing below that id (newest first)."""

    message_type: MessageType | None = None
    tool_name: str | None = None
    session_id: str | None = None
    request_id: str | None = None
    owner: str | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: UUID | None = None
    limit: int = 50
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class Deleted:
    """One batch of rows that cleanup removed, and where the next one continues (None: the end).

    `stored_bytes` are reusable by the database, not returned to the disk."""

    rows: int
    payload_bytes: int
    stored_bytes: int
    last_id: UUID | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Partitions that left whole: their messages, payload bytes, and bytes given to the disk."""

    rows: int
    payload_bytes: int
    returned_bytes: int


@dataclass(frozen=True, slots=True)
class Lease:
    """Who runs a request: `mine` to run it now, else `done` tells whether it was answered."""

    mine: bool
    transaction_id: UUID
    done: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What names one call of one client."""

    owner: str
    session_id: str
    request_id: str


class Sink(Protocol):
    """Where a put goes: the store, or the spool while that is away."""

    async def put(self, draft: Draft, body: bytes) -> Stored:
        """Store a message whose body is in the row. Raises TransactionConflict, OutsideHorizon."""

    async def put_chunks(
        self, transaction_id: UUID, chunks: AsyncIterator[Chunk], seal: Callable[[], Draft]
    ) -> Stored:
        """Store chunks as they come and the envelope last, all in one transaction."""


class Store(Sink, Protocol):
    """Keeps and finds envelopes. Every method raises the named errors of core.errors:
    StoreUnreachable, StoreTimeout, StoreReadOnly, StoreFull, AccessDenied, SchemaMissing,
    StoreFailed."""

    async def put_many(self, drafts: Sequence[tuple[Draft, bytes]]) -> set[UUID]:
        """Store many in-row messages in one statement; returns the ids that were new."""

    async def find(self, transaction_id: UUID) -> Found | None: ...

    async def chunks(self, transaction_id: UUID, first: int, last: int) -> Sequence[Chunk]:
        """Chunks first … last (inclusive) in order; fewer when some are not there."""

    async def record_deliveries(self, deliveries: Sequence[Delivery]) -> None: ...
    async def record_events(self, events: Sequence[Event], *, durable: bool = True) -> None:
        """Add to the audit trail; without `durable` in one round trip that does not wait for the
        disk."""

    async def record_reconciled(
        self, fell_back: Event, reconciled: Event, request: Request | None, ttl: timedelta
    ) -> bool:
        """Both events of one message, unless it has them; and that its request was answered."""

    async def stat(self, transaction_id: UUID) -> Envelope | None: ...
    async def events(self, transaction_id: UUID) -> Sequence[Event]: ...
    async def list(self, wanted: Filter) -> Sequence[Envelope]: ...

    async def retain(
        self, transaction_id: UUID, *, pinned: bool | None = None, ttl: timedelta | None = None
    ) -> Envelope | None:
        """Pin, unpin or give a new time to live from now; None when there is no such message."""

    async def remove(self, transaction_id: UUID) -> bool: ...
    async def ensure_partitions(self, first: datetime, last: datetime) -> int: ...
    async def partitions(self) -> Sequence[Partition]: ...
    async def request_begin(
        self, owner: str, session_id: str, request_id: str, transaction_id: UUID, *,
        daemon: str, lease: timedelta, ttl: timedelta,
    ) -> Lease: ...  # fmt: skip
    async def request_renew(
        self, owner: str, session_id: str, request_id: str, *,
        daemon: str, lease: timedelta, answered: bool,
    ) -> bool: ...  # fmt: skip
    async def ping(self) -> float:
        """One round trip; its time in milliseconds."""

    async def wake(self) -> bool:
        """Call those who wait for new messages; False when nobody does."""

    async def close(self) -> None: ...


class Ear(Protocol):
    """Hears that there are new messages."""

    async def wait(self, seconds: float) -> bool:
        """Whether somebody called within that time. Raises the store's errors."""


class Feed(Protocol):
    """Batches of new messages for followers. Raises the store's errors as Store does."""

    async def mode(self) -> Mode:
        """How the store is reached, as was proved: where a call (`ear`) does not get through."""

    async def claim(
        self, follower: str, holder: str, wanted: Filter, *, most: int, bodies: bool,
        since: datetime | None, from_now: bool,
    ) -> Batch | None:  # fmt: skip
        """The next messages, held for `holder` for a short time; None when there are none, or
        another holds them. `since` and `from_now` say where a new follower begins. Raises
        CursorForeign."""

    async def commit(self, batch: Batch, messages: Sequence[tuple[Draft, bytes]] = ()) -> bool:
        """Move the cursor behind the batch and store messages, in one transaction; False, with
        nothing done, when another has moved it."""

    def transaction(self, batch: Batch) -> AbstractAsyncContextManager[Any]:
        """As `commit`, around what the caller writes on the connection."""

    async def stay(self, follower: str, holder: str, *, listen_secs: float | None) -> None:
        """Hold on what is held; have it known for so long that somebody listens."""

    async def forget(self, follower: str) -> bool: ...
    async def tidy(self) -> None:
        """Forget those without a name of their own whose process has gone."""

    def ear(self) -> AbstractAsyncContextManager[Ear]: ...


@dataclass(frozen=True, slots=True)
class Neglected:
    """A message that nobody has redeemed, and how long it has to live."""

    envelope: Envelope
    left: timedelta


class Model(Protocol):
    """A language model."""

    async def ask(self, question: str) -> Reply:
        """Raises ModelFailed."""


class Neglect(Protocol):
    """Finds what nobody redeems. Raises the store's errors."""

    async def begin(self) -> tuple[datetime, datetime | None]:
        """The store's time, and up to when it was swept before."""

    def pages(
        self, stage: Stage, behind: datetime | None, after: timedelta, ahead: timedelta, most: int
    ) -> AsyncIterator[Sequence[Neglected]]:
        """Those that became so since `behind`: older than `after`, or with less than `ahead` and a
        tenth of their time left; up to `most` at once."""

    async def end(self, began: datetime) -> None:
        """A sweep that began then is done."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What a spool holds. `aside` are files that were not stored and wait for a person."""

    messages: int
    size_bytes: int
    oldest: datetime | None
    aside: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the spool: its envelope with its own times, when and why it came there."""

    draft: Draft
    at: datetime
    reason: str
    daemon: str


class Held(Protocol):
    """A message of the spool, locked: nobody else drains it meanwhile."""

    @property
    def waiting(self) -> Waiting: ...
    async def put_into(self, sink: Sink) -> Stored:
        """Store it as it is. Raises SpoolDamaged, and the sink's errors."""

    async def done(self) -> None:
        """It is stored: take it out."""

    async def set_aside(self, why: str) -> str:
        """It will not be stored: keep its file where it no longer waits; returns that place."""


class Spool(Protocol):
    """Keeps on this host's disk what the store could not take. Raises SpoolFull, FileFailed, and
    SpoolDamaged for a damaged file. Processes may share one."""

    @property
    def place(self) -> str: ...
    def sink(self, reason: str, daemon: str) -> Sink: ...
    def room(self) -> int:
        """Bytes that it takes yet."""

    def holds(self, transaction_id: UUID) -> bool: ...
    def ids(self) -> Sequence[UUID]:
        """What waits, oldest first."""

    def extent(self) -> Extent: ...
    def sweep(self) -> int:
        """Remove what a writer that died has left half-written; counts the files."""

    async def find(self, transaction_id: UUID) -> Found | None: ...
    async def chunks(
        self, transaction_id: UUID, first: int, last: int
    ) -> Sequence[Chunk] | None: ...
    async def stat(self, transaction_id: UUID) -> Envelope | None: ...
    async def events(self, transaction_id: UUID) -> Sequence[Event]: ...
    async def answer_of(self, request: Request) -> UUID | None:
        """The message that waits and answers this request."""

    def hold(self, transaction_id: UUID) -> AbstractAsyncContextManager[Held | None]:
        """Lock a message; None when another drains it, or it no longer waits. Raises
        SpoolDamaged for a file without a readable envelope."""

    async def set_aside(self, transaction_id: UUID, why: str) -> str:
        """As of one that is held, for a file that cannot be."""


class Journal(Protocol):
    """What daemons say of themselves. Raises the store's errors as Store does."""

    async def daemon_seen(self, state: DaemonState) -> None:
        """Write how a daemon is; the time it was seen is the server's."""

    async def daemon_left(self, daemon: str) -> None:
        """Take its row away: it has stopped as it should."""

    async def daemons(self) -> Sequence[DaemonState]:
        """Every daemon, those included that died without a word."""

    async def record_system_events(self, events: Sequence[SystemEvent]) -> None: ...
    async def system_events(
        self, since: datetime, *, kinds: Sequence[Kind] = (), limit: int = 100
    ) -> Sequence[SystemEvent]:
        """Events since then, newest first; of some kinds only when `kinds` are given."""


class Admission(Protocol):
    """Decides whether the store takes a put."""

    async def admit(self) -> None:
        """Raises StoreOverBudget when nothing more is taken."""

    async def look(self) -> int:
        """Measure now what `admit` goes by; in bytes. Raises the store's errors."""


class AlertBook(Protocol):
    """Where alerts and what is to be told of them are kept: the store, or a file of this machine
    while that is away. Raises the store's errors, or FileFailed."""

    async def turn(
        self, step: Callable[[Sequence[Alert]], tuple[Sequence[Alert], Sequence[Notice]]]
    ) -> Sequence[Notice]:
        """Replace all alerts by what `step` makes of them and add its notices, all at once and
        while nobody else does. Returns those notices."""

    async def claim(self) -> Sequence[Notice]:
        """Undelivered notices, oldest first, which nobody else delivers meanwhile."""

    async def settle(self, notice: Notice) -> None:
        """Keep the outcomes of an attempt to deliver a claimed notice."""

    async def alerts(self) -> Sequence[Alert]: ...
    async def notices(self, limit: int) -> Sequence[Notice]:
        """The newest, newest first."""

    async def undelivered(self) -> Sequence[Notice]:
        """Those that a sink did not take, oldest first."""


class AlertSink(Protocol):
    """Tells somebody of an alert."""

    @property
    def name(self) -> str: ...
    async def tell(self, notice: Notice) -> None:
        """Raises AlertUndelivered."""


class Retention(Protocol):
    """What cleanup asks of the store. Each call is short and stands for itself. All of them work
    where the database is read-only by default. `now` is the run's own moment: what expires after
    it stays. Raises the store's errors as Store does."""

    async def lock(self) -> bool:
        """Take the cleanup lock until `unlock`; False when another run holds it."""

    async def unlock(self) -> None: ...
    async def now(self) -> datetime: ...

    async def partitions(self) -> Sequence[Partition]:
        """All partitions, those included that an interrupted removal left detached."""

    async def contents(self, partition: Partition, now: datetime) -> Contents:
        """What an attached message partition holds."""

    async def expired_in(self, partition: Partition, now: datetime) -> Deleted:
        """How much of a message partition has expired (`last_id` is None)."""

    async def delete_expired(
        self, partition: Partition, *, now: datetime, after: UUID | None, batch: int
    ) -> Deleted:
        """Delete the next `batch` expired rows with their chunks; rows in use are passed over."""

    async def drop(self, partitions: Sequence[Partition], now: datetime) -> Dropped | None:
        """Detach and drop partitions of one time span, or finish doing so. None, and all is as
        before, when a message there has not expired after all. StoreTimeout when somebody used
        one for longer than the lock timeout."""

    async def count_requests(self, now: datetime) -> int: ...
    async def delete_requests(self, now: datetime, batch: int) -> int: ...
    async def count_journal(self, before: datetime) -> int: ...
    async def expire_journal(self, before: datetime) -> int:
        """Delete system events older than that, and daemons not seen for a day; counts the
        events."""

    async def ensure_partitions(self, first: datetime, last: datetime) -> int: ...

    async def database_bytes(self) -> int: ...

    async def holding(self, partition: Partition) -> Holding:
        """How much an attached message partition holds, and how much of it may go."""

    async def drop_unexpired(self, partitions: Sequence[Partition]) -> Dropped | None:
        """As `drop`, whatever has expired: only a pinned message keeps it. The event says so."""

    async def delete_oldest(self, partition: Partition, *, delivered: bool, batch: int) -> Deleted:
        """Delete up to `batch` of the oldest messages that are not pinned, with their chunks:
        those that were delivered, or the others. `last_id` is None when none are left."""

    async def give_back(self, partitions: Sequence[Partition]) -> None:
        """Return to the disk what lies free at the end of those tables."""

    async def record_run(self, detail: Mapping[str, Any]) -> None:
        """Note that a cleanup has ended now, for `busctl check expiry`."""


# --- health --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoreLine:
    """The connection to the store: what connecting took in ms, whether a pooler answers in place
    of the server, whether it is encrypted, and whether it leaves this machine."""

    connect_ms: float
    pooled: bool
    encrypted: bool
    is_local: bool


class Facts(Protocol):
    """Asks the store about itself. Every method raises the store's named errors."""

    @property
    def line(self) -> StoreLine: ...

    async def ask(self, question: str) -> Sequence[Mapping[str, Any]]:
        """The rows of a query named `health_…`, by column, in one round trip."""

    async def ping(self) -> float:
        """One round trip; its time in ms."""


class Inspection(Protocol):
    """Looks at stored messages where they lie: stored digests are checked by the server, no payload
    travels. Each call is one short transaction. Expired messages are not looked at. Raises the
    store's errors as Store does. Spans are [first, last) in ids."""

    async def totals(self, first: UUID, last: UUID) -> tuple[int, int]:
        """Messages and their stored bytes."""

    async def pick(
        self, after: UUID, last: UUID, *, limit: int, share: float, seed: int
    ) -> Sequence[tuple[UUID, int]]:
        """The next ids behind `after` with their stored bytes; `share` (0 to 1) of them, chosen by
        id and `seed`."""

    async def look(self, ids: Sequence[UUID]) -> Sequence[Inspected]:
        """What is there of these messages; those that have left are left out."""

    async def orphans(self, first: UUID, last: UUID) -> Sequence[Orphan]: ...

    async def mark_damaged(self, details: Mapping[UUID, Mapping[str, Any]]) -> int:
        """Set their status to error and add an event `corrupt` with that detail; returns how many
        were not marked before. Deletes nothing."""


# --- tools ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolInfo:
    """One tool as listed. `input_schema` is JSON Schema; `provider` names where it came from."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    provider: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answered, as bytes: exactly one of `payload` and `pieces` is set.

    `declared_size` (bytes) is what the tool said its answer has, if it said so.
    """

    payload: bytes | None
    pieces: AsyncIterator[bytes] | None
    content_type: str
    declared_size: int | None = None

    def __post_init__(self) -> None:
        if (self.payload is None) == (self.pieces is None):
            raise ValueError("An answer is either one payload or pieces of one.")


class ToolHost(Protocol):
    """Finds tools and runs one call of one."""

    def list_tools(self) -> Sequence[ToolInfo]: ...

    async def call(
        self, name: str, arguments: Mapping[str, Any], note: Callable[[str], None]
    ) -> Answer:
        """Run a tool; `note` tells how it goes. Raises ToolNotFound, InvalidArguments and, for any
        other exception of the tool (from `pieces` too), ToolFailed."""


# --- the daemon's surroundings -------------------------------------------------------------------


class Socket(Protocol):
    """One WebSocket connection, accepted. Sending waits for the peer to take what was sent before
    and raises PeerGone once it has left."""

    async def receive(self) -> str | bytes:
        """The next message: str from a text frame, bytes from a binary one. Raises PeerGone."""

    async def send_text(self, message: str) -> None: ...
    async def send_bytes(self, message: bytes) -> None: ...
    async def close(self, code: int, reason: str) -> None:
        """Close it; does nothing when it is closed already."""


class TokenGuard(Protocol):
    """Knows the tokens that clients may show, and whose they are."""

    async def identify(self, shown: str) -> Principal | None:
        """Whose token it is, compared in constant time; None for nobody's. Raises the store's
        errors when it cannot be told now."""

    async def holds(self, principal: Principal) -> bool:
        """Whether the token by which it was known is good still, as far as can be told now."""

    async def rotate(self, old: str, new: str) -> None:
        """Put `new` in place of `old`. Raises Unauthorized and ConfigurationError."""


class Tokens(Protocol):
    """Keeps the tokens beside the daemon's own one, as digests. Raises the store's errors."""

    async def add(
        self, token_id: str, digest: bytes, principal: Principal, ttl: timedelta | None
    ) -> Token: ...

    async def find(self, token_id: str) -> tuple[Token, bytes] | None:
        """A token and its digest, whatever its state."""

    async def used(self, token_id: str) -> None:
        """Note that it was used now."""

    async def list(self) -> Sequence[Token]:
        """All of them, the oldest first."""

    async def revoke(self, token_id: str) -> Token | None:
        """None when there is none of this id. Revoking again changes nothing."""


class Meter(Protocol):
    """Counts what the daemon does. Sizes in bytes, times in seconds."""

    def stored(self, size_bytes: int, seconds: float) -> None: ...
    def took(self, stored_bytes: int) -> None:
        """The store took a message: its size there, compressed."""

    def verified(self, ok: bool, seconds: float) -> None: ...
    def fetched(self, via: str, size_bytes: int, seconds: float) -> None: ...
    def fetch_failed(self, via: str, code: str) -> None: ...
    def call_ended(self, tool: str, outcome: str, seconds: float) -> None: ...
    def inflight(self, count: int) -> None: ...
    def sessions(self, count: int) -> None: ...
    def upkeep(self, task: str, ok: bool) -> None: ...
    def hop_mismatch(self, hop: str) -> None: ...
    def truncation_suspected(self, kind: str) -> None: ...
    def breaker(self, side: str, state: str) -> None: ...
    def spool(self, messages: int, size_bytes: int, aside: int) -> None: ...
    def fell_back(self, reason: str, size_bytes: int) -> None: ...
    def reconciled(self, outcome: str) -> None: ...
    def load(self, load: Load, now: float) -> None:
        """What the store holds, at the Unix time `now`."""

    def pool(self, size: int, busy: int) -> None:
        """Connections to the store: allowed, and in use."""


class Readable(Protocol):
    """A message about to be read, as `Bus.open` and `Bus.open_stored` return it."""

    @property
    def claim(self) -> ClaimCheck: ...
    @property
    def start(self) -> int: ...
    @property
    def stop(self) -> int: ...
    @property
    def stored_checksum(self) -> bytes: ...
    @property
    def stored_size_bytes(self) -> int: ...
    @property
    def pieces(self) -> AsyncIterator[bytes]: ...


class Reading(Protocol):
    """The reading half of the bus; see `busctl.ops.bus.Bus`."""

    async def require(
        self, principal: Principal, scope: Scope, transaction_id: UUID | None = None
    ) -> None: ...
    async def open(
        self, transaction_id: UUID, *, offset: int = 0, length: int | None = None,
        principal: str | None = None,
    ) -> Readable: ...  # fmt: skip
    async def open_stored(
        self, transaction_id: UUID, *, principal: str | None = None
    ) -> Readable: ...
    def passed(self, transaction_id: UUID, kind: str, hop: str, detail: Mapping[str, Any]) -> None:
        """Note beside the way what a hop has seen of a payload."""


# --- the dashboard -------------------------------------------------------------------------------


class Traffic(Protocol):
    """The roll-up of messages by the minute. Raises the store's errors as Store does."""

    async def refresh(self, first: datetime, last: datetime) -> int:
        """Count the minutes [first, last) anew; returns how many lines of them changed. Doing it
        again changes nothing, and what was removed meanwhile stays counted."""

    async def flow(self, window: Window, owner: str | None) -> Flow:
        """What flowed in the window, of one owner or (None) of all."""

    async def load(self) -> Load: ...
    async def watch(self, limit: int) -> Watch:
        """Followers, and at most so many of the newest observations and findings of a day."""


class Desk(Protocol):
    """What dashboards are told. `owner` limits it to the messages of one principal, None does not.
    However many ask, the store is asked once a second. Raises the store's errors and those of
    claims: MessageMissing, MessageExpired, MessageCorrupt, AccessDenied."""

    @property
    def draining(self) -> bool:
        """Whether the daemon is about to stop."""

    async def now(self, window: Window, owner: str | None) -> Now:
        """Raises nothing of the store's: `store_fault` tells why there is little to see."""

    def load(self) -> Load | None:
        """As it was within the last half minute; None while it is not known yet."""

    async def listing(self, wanted: Filter) -> Sequence[Envelope]: ...
    async def envelope(self, transaction_id: UUID, owner: str | None) -> Envelope: ...
    async def events(self, transaction_id: UUID, owner: str | None) -> Sequence[Event]: ...
    async def trace(self, transaction_id: UUID, owner: str | None) -> Trace: ...
    async def piece(
        self, transaction_id: UUID, offset: int, length: int, owner: str | None
    ) -> bytes:
        """Verified bytes of a payload, without that being a delivery."""

    async def verify(self, transaction_id: UUID, owner: str | None) -> Sequence[Finding]:
        """Read it all and check every digest; what is wrong."""

    async def health(self) -> Health:
        """Every check but the canaries, as it was within the last ten seconds."""

    async def watch(self) -> Watch:
        """What followers and watchers have done."""

    async def notices(self) -> Sequence[Notice]:
        """The newest alerts raised and cleared, newest first."""
