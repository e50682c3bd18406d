"""What putting, getting and keeping share: the store, the settings, and what became of an id."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from busctl.core.bucket import Bucket
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Event
from busctl.core.errors import (
    AccessDenied,
    BusctlError,
    BusDisabled,
    MessageCorrupt,
    MessageExpired,
    MessageMissing,
)
from busctl.core.hops import ACCEPTED, PRODUCED, RECEIVED, SENT
from busctl.core.ids import time_of, unix_ms_of
from busctl.core.principal import Principal, Scope
from busctl.core.watching.truncation import TRUNCATION
from busctl.ops.deliveries import Deliveries
from busctl.ops.guarding import GuardedStore
from busctl.ops.reading.recent import Recent
from busctl.ops.waking import Waking
from busctl.ports import Clock, Sink, Store

DENIALS_PER_SEC = 20.0

log = logging.getLogger("busctl.bus")

UNPROVEN = {"denied", PRODUCED, ACCEPTED, SENT, RECEIVED, TRUNCATION}
"""Events that a message can have without ever having been in the store."""

ARRIVED = {"stored", "reconciled"}
"""Events of a message that has been in the store."""

CLIENT = "client"
"""The hop of commands and of the library in other programs."""


class Access:
    """One way to a store. `hop` names in the audit trail where this bus runs."""

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, *,
        hop: str = CLIENT, sink: Sink | None = None,
    ) -> None:  # fmt: skip
        """A store without a breaker gets one. `sink` is where single puts go, else the store."""
        self.store = (
            store if isinstance(store, GuardedStore) else (GuardedStore(store, settings, clock))
        )
        self.sink: Sink = self.store if sink is None else sink
        self.settings = settings
        self.clock = clock
        self.hop = hop
        self.deliveries = Deliveries(self.store, self.store.spool)
        self.waking = Waking(self.store, clock)
        # Commands end after one search; who serves is asked again.
        self.recent = Recent(0 if hop == CLIENT else settings.read_cache_bytes)
        self._denials = Bucket(DENIALS_PER_SEC)

    def require_enabled(self, transaction_id: UUID | None) -> None:
        """Raises BusDisabled: a bus that is switched off says so, in both directions."""
        if not self.settings.enabled:
            raise BusDisabled(
                "The bus is switched off (MESSAGE_BUS_ENABLED=false).",
                transaction_id=transaction_id,
            )

    async def require(
        self,
        principal: Principal,
        scope: Scope,
        transaction_id: UUID | None = None,
        tool: str | None = None,
    ) -> None:
        """Raises AccessDenied unless the principal has the scope; the attempt is noted.

        The event has an id of its own: the one asked for need not name anything, and an event of
        it would look as if it had.
        """
        try:
            principal.require(scope)
        except AccessDenied as error:
            error.transaction_id = transaction_id
            asked = {"id": str(transaction_id)} if transaction_id else {"tool": tool}
            detail = {"principal": principal.name, "scope": scope.value, **asked}
            await self.note_denied(self.clock.new_id(), detail)
            raise

    async def note_denied(self, transaction_id: UUID, detail: dict[str, Any]) -> None:
        """Log that somebody was refused, and note it: so many a second, for whoever is refused
        must not fill the audit trail either."""
        log.warning("denied", extra=detail)
        if not self._denials.take(self.clock.monotonic()):
            await self.note(transaction_id, "denied", detail)

    async def note(self, transaction_id: UUID, kind: str, detail: dict[str, Any]) -> None:
        """Add an event to the audit trail. An error on the way is logged: what it accompanies is
        an error already, and must reach the caller in its place."""
        event = Event(transaction_id, self.clock.now(), kind, self.hop, detail)
        try:
            await self.store.record_events([event])
        except BusctlError as error:
            log.warning("event %s of %s not recorded: %s", kind, transaction_id, error)

    def passed(self, transaction_id: UUID, kind: str, hop: str, detail: Mapping[str, Any]) -> None:
        """Note beside the way what a hop has seen of a payload: batched, never awaited."""
        if self.settings.trace_hops:
            self.remark(transaction_id, kind, hop, detail)

    def remark(self, transaction_id: UUID, kind: str, hop: str, detail: Mapping[str, Any]) -> None:
        """As `passed`, for what is noted whether hops are traced or not."""
        if self.settings.enabled:
            self.deliveries.note(Event(transaction_id, self.clock.now(), kind, hop, detail))

    async def absent(
        self, transaction_id: UUID
    ) -> MessageExpired | MessageMissing | MessageCorrupt:
        """What became of an id that is not in the store: its events and its own time tell."""
        events = [
            one for one in await self.store.events(transaction_id) if one.kind not in UNPROVEN
        ]
        if events:
            last = events[-1]
            if last.kind == "corrupt" and not any(one.kind in ARRIVED for one in events):
                return MessageCorrupt(
                    f"Message {transaction_id} waited for the store and was found damaged: it "
                    "never got there.",
                    transaction_id=transaction_id,
                )
            when = last.at.isoformat(timespec="seconds")
            gone = last.kind in ("expired", "removed")
            fate = f"{last.kind} at {when}" if gone else f"last seen at {when}, gone since"
            return MessageExpired(
                f"Message {transaction_id} is no longer there: {fate}.",
                transaction_id=transaction_id,
            )
        if self.clock.unix_ms() - unix_ms_of(transaction_id) > _ms(self.settings.horizon):
            made = time_of(transaction_id).isoformat(timespec="seconds")
            return MessageExpired(
                f"Id {transaction_id} is from {made}, before the horizon of "
                f"{_hours(self.settings.horizon)}: whatever it named has expired.",
                transaction_id=transaction_id,
            )
        return MessageMissing(
            f"No message {transaction_id} was ever stored here.", transaction_id=transaction_id
        )


class naming:  # noqa: N801  # reads as a statement: `with naming(id):`
    """The store's errors of this block name the message. Whoever let the bus make the id needs it
    most: when an answer got lost on its way the message may be stored, and a retry under the same
    id stores it once. (A class, not a generator: it stands around every put and get.)"""

    __slots__ = ("_id",)

    def __init__(self, transaction_id: UUID) -> None:
        self._id = transaction_id

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, BusctlError) and error.transaction_id is None:
            error.transaction_id = self._id
            error.message = f"{error.message.removesuffix('.')} (message {self._id})."


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:g} hours"
