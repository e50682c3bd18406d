"""Alerting: what checks found becomes notices, each delivered to every sink."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from busctl.core.configuration.settings import Settings
from busctl.core.errors import AlertUndelivered
from busctl.core.operating.alert import Alert, Change, Key, Notice, Patience, Told, evaluate
from busctl.core.operating.health import Grade, Health, Kind
from busctl.ports import AlertBook, AlertSink, Clock

log = logging.getLogger("busctl.alert")


def patience_of(settings: Settings) -> Patience:
    """The hysteresis of these settings."""
    return Patience(
        settings.alert_raise_looks, timedelta(seconds=settings.alert_raise_secs),
        settings.alert_clear_looks, timedelta(seconds=settings.alert_clear_secs),
    )  # fmt: skip


class Alerting:
    """Makes alerts of looks. `host` is this machine, `seen_by` this process."""

    def __init__(
        self, sinks: Sequence[AlertSink], kinds: Mapping[str, Kind], patience: Patience,
        clock: Clock, *, host: str, seen_by: str,
    ) -> None:  # fmt: skip
        self._sinks = sinks
        self._kinds = kinds
        self._patience = patience
        self._clock = clock
        self._host = host
        self._seen_by = seen_by

    async def look(
        self, book: AlertBook, health: Health, adopted: Callable[[Sequence[Alert]], list[Alert]],
        carried: Sequence[Notice] = (),
    ) -> Sequence[Notice]:  # fmt: skip
        """Turn the book by one look and deliver what is undelivered; returns what was new.

        `adopted` merges in the alerts and `carried` are the notices that another book kept.
        Raises the book's errors; a sink that fails is told in the notices.
        """
        now = self._clock.now()

        def step(before: Sequence[Alert]) -> tuple[Sequence[Alert], Sequence[Notice]]:
            after, told = evaluate(
                adopted(before), health, self._kinds, self._host, now, self._patience
            )
            return after, [*carried, *(self._notice(one) for one in told)]

        notices = await book.turn(step)
        await self.deliver(book)
        fresh = [one for one in notices if one not in carried]
        for one in fresh:
            tell = log.info if one.change is Change.CLEARED else log.warning
            tell(f"alert {one.change.value}", extra=_shown(one))
        return fresh

    async def deliver(self, book: AlertBook) -> None:
        """One attempt at everything undelivered."""
        for notice in await book.claim():
            await book.settle(await self.attempt(notice))

    async def attempt(self, notice: Notice) -> Notice:
        """Tell the sinks that have not taken it yet; the notice with what came of it."""
        outcomes: dict[str, str | None] = {}
        for sink in self._sinks:
            if notice.outcomes.get(sink.name, "") is None:
                continue
            try:
                await sink.tell(notice)
                outcomes[sink.name] = None
            except AlertUndelivered as error:
                outcomes[sink.name] = error.message
                log.error(  # noqa: TRY400  # the reason is in the message, a traceback is no help
                    "alert not delivered",
                    extra={**_shown(notice), "sink": sink.name, "error": error.message},
                )
        return notice.with_outcomes(outcomes)

    def test_notice(self) -> Notice:
        """What `busctl alert test` sends."""
        now = self._clock.now()
        return Notice(
            self._clock.new_id(), now, Change.TEST, Key("alerts.test", "this sink", self._host),
            Grade.WARNING, "This is a test; nothing is wrong.", "Nothing.", now, self._seen_by,
        )  # fmt: skip

    def _notice(self, told: Told) -> Notice:
        notice_id: UUID = self._clock.new_id()
        alert = told.alert
        return Notice(
            notice_id, alert.seen_at, told.change, alert.key, alert.grade, alert.message,
            alert.remedy, alert.since, self._seen_by, done=not self._sinks,
        )  # fmt: skip


def _shown(notice: Notice) -> dict[str, str]:
    return {
        "kind": notice.key.kind, "subject": notice.key.subject, "grade": notice.grade.name,
        "said": notice.message,
    }  # fmt: skip
