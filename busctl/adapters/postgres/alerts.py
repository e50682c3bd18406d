"""The AlertBook port on PostgreSQL: shared by all daemons and cron jobs of one database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb
from psycopg.types.numeric import Float8, Int4

from busctl.adapters.postgres.pool import Row, Session
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.sqlfiles import queries
from busctl.core.operating.alert import Alert, Change, Key, Notice
from busctl.core.operating.health import Grade
from busctl.core.operating.journal import Kind

READER, WRITER = "bus_reader", "bus_writer"
_EVENTS = {Change.RAISED: Kind.ALERT_RAISED, Change.CLEARED: Kind.ALERT_CLEARED}


class PostgresAlerts:
    """Implements `busctl.ports.AlertBook` with the connections of a store. `lease` bounds how long
    one process may take to deliver what it claimed, `keep` how long delivered notices are kept."""

    def __init__(
        self, store: PostgresStore, *, keep: timedelta, lease: timedelta = timedelta(minutes=2),
        batch: int = 50,
    ) -> None:  # fmt: skip
        self._store = store
        self._keep = keep
        self._lease = lease
        self._batch = batch
        self._sql = queries()

    async def turn(
        self, step: Callable[[Sequence[Alert]], tuple[Sequence[Alert], Sequence[Notice]]]
    ) -> Sequence[Notice]:
        async def work(session: Session) -> Sequence[Notice]:
            await session.one(self._sql["alert_lock"])
            before = [_alert(row) for row in await session.all(self._sql["alert_list"])]
            after, notices = step(before)
            await self._replace(session, before, after)
            for notice in notices:
                await session.run(self._sql["alert_notice_add"], _notice_values(notice))
                await self._record(session, notice)
            if notices:
                old = {"before": notices[0].at - self._keep}
                await session.run(self._sql["alert_notice_expire"], old)
            return notices

        # A database over its quota is read-only by default: just then there is something to tell.
        return await self._store.as_role(WRITER, work, read_write=True)

    async def _replace(
        self, session: Session, before: Sequence[Alert], after: Sequence[Alert]
    ) -> None:
        gone = {one.key for one in before} - {one.key for one in after}
        if gone:
            await session.run(self._sql["alert_forget"], {
                "kinds": [key.kind for key in gone], "subjects": [key.subject for key in gone],
                "hosts": [key.host for key in gone],
            })  # fmt: skip
        known = {one.key: one for one in before}
        for one in after:
            if known.get(one.key) != one:
                await session.run(self._sql["alert_keep"], _alert_values(one))

    async def _record(self, session: Session, notice: Notice) -> None:
        kind = _EVENTS.get(notice.change)
        if kind is None:
            return
        detail = {
            "kind": notice.key.kind, "subject": notice.key.subject, "host": notice.key.host,
            "grade": notice.grade.name, "message": notice.message,
        }  # fmt: skip
        await session.run(self._sql["alert_event_add"], {
            "at": notice.at, "seen_by": notice.seen_by, "kind": kind.value,
            "detail": Jsonb(detail),
        })  # fmt: skip

    async def claim(self) -> Sequence[Notice]:
        values = {"lease": Float8(self._lease.total_seconds()), "limit": Int4(self._batch)}
        rows = await self._store.as_role(
            WRITER,
            lambda session: session.all(self._sql["alert_notice_claim"], values),
            read_write=True,
        )
        return sorted((_notice(row) for row in rows), key=lambda one: one.at)

    async def settle(self, notice: Notice) -> None:
        values = {
            "notice": notice.notice, "done": notice.done,
            "outcomes": Jsonb(dict(notice.outcomes)),
        }  # fmt: skip

        async def write(session: Session) -> None:
            await session.run(self._sql["alert_notice_settle"], values)

        await self._store.as_role(WRITER, write, read_write=True)

    async def alerts(self) -> Sequence[Alert]:
        return [_alert(row) for row in await self._read("alert_list")]

    async def notices(self, limit: int) -> Sequence[Notice]:
        rows = await self._read("alert_notice_list", {"limit": Int4(limit)})
        return [_notice(row) for row in rows]

    async def undelivered(self) -> Sequence[Notice]:
        return [_notice(row) for row in await self._read("alert_notice_undelivered")]

    async def _read(self, name: str, values: dict[str, Any] | None = None) -> Sequence[Row]:
        query = self._sql[name]
        return await self._store.as_role(READER, lambda session: session.all(query, values))


def _alert(row: Row) -> Alert:
    kind, subject, host, grade, message, remedy, raised, since, seen, bad, good, good_since = row
    return Alert(
        Key(kind, subject, host), Grade(grade), message, remedy, since, seen, raised, bad, good,
        good_since,
    )  # fmt: skip


def _alert_values(one: Alert) -> dict[str, Any]:
    return {
        "kind": one.key.kind, "subject": one.key.subject, "host": one.key.host,
        "grade": Int4(one.grade), "message": one.message, "remedy": one.remedy,
        "raised": one.raised_at, "since": one.since, "seen": one.seen_at, "bad": Int4(one.bad),
        "good": Int4(one.good), "good_since": one.good_since,
    }  # fmt: skip


def _notice(row: Row) -> Notice:
    notice, at, change, kind, subject, host, grade, message, remedy, since, seen_by, *rest = row
    done, attempts, outcomes = rest
    return Notice(
        notice, at, Change(change), Key(kind, subject, host), Grade(grade), message, remedy, since,
        seen_by, done, attempts, outcomes,
    )  # fmt: skip


def _notice_values(one: Notice) -> dict[str, Any]:
    return {
        "notice": one.notice, "at": one.at, "change": one.change.value, "kind": one.key.kind,
        "subject": one.key.subject, "host": one.key.host, "grade": Int4(one.grade),
        "message": one.message, "remedy": one.remedy, "since": one.since, "seen_by": one.seen_by,
        "done": one.done, "attempts": Int4(one.attempts), "outcomes": Jsonb(dict(one.outcomes)),
    }  # fmt: skip
