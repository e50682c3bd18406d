"""What the server says of itself is tried again, within a deadline; nothing else is."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from busctl.adapters.postgres.errors import mapped
from busctl.adapters.postgres.retrying import UNDONE, UNKNOWN, is_transient, patiently
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.errors import BusctlError, StoreFailed, StoreTimeout
from tests.adapters.bus_sql import connected, sql

OTHERS = ("23505", "23514", "25006", "42501", "42P01", "53100", "57014", "22021", "XX001")


def failure(sqlstate: str) -> BusctlError:
    error = psycopg.errors.lookup(sqlstate)("said")
    named = mapped(error)
    named.__cause__ = error
    return named


@pytest.mark.parametrize("sqlstate", sorted(UNDONE | UNKNOWN | set(OTHERS)))
def test_which_failures_are_tried_again(sqlstate: str) -> None:
    error = failure(sqlstate)
    assert is_transient(error, repeatable=False) is (sqlstate in UNDONE)
    assert is_transient(error, repeatable=True) is (sqlstate in UNDONE | UNKNOWN)


@pytest.mark.parametrize(
    ("sqlstate", "repeatable", "attempts"),
    [("40001", False, 4), ("57P01", True, 4), ("57P01", False, 1), ("42501", True, 1)],
)
async def test_how_often(sqlstate: str, repeatable: bool, attempts: int) -> None:
    made = 0

    async def attempt() -> None:
        nonlocal made
        made += 1
        raise failure(sqlstate)

    with pytest.raises(BusctlError):
        await patiently(attempt, repeatable=repeatable)
    assert made == attempts


async def test_a_deadlock_and_a_lost_backend_are_not_seen_by_the_caller(database: str) -> None:
    """The server fails a put twice in its own way, by a trigger; the third succeeds."""
    await sql(database, "create sequence bus.tried; grant usage on bus.tried to bus_writer")
    await sql(
        database,
        "create function bus.fail_twice() returns trigger language plpgsql as $$ begin "
        "if nextval('bus.tried') <= 2 then raise sqlstate '40P01'; end if; return new; end $$",
    )
    await sql(
        database,
        "create trigger fails before insert on bus.message_bus "
        "for each row execute function bus.fail_twice()",
    )
    async with connected(database) as bus:
        claim = await bus.put(b"at last")
        assert await bus.get(claim.transaction_id) == b"at last"
        assert bus.store.writes.failures == 0


async def test_a_statement_of_a_terminated_backend_is_repeated(
    bus: Bus, settings: Settings
) -> None:
    dsn = settings.database_dsn() or ""
    await sql(
        dsn,
        "create function bus.die_once() returns trigger language plpgsql "
        "security definer as $$ begin "
        "if nextval('bus.died') = 1 then perform pg_terminate_backend(pg_backend_pid()); "
        "perform pg_sleep(5); end if; return new; end $$",
    )
    await sql(dsn, "create sequence bus.died")
    await sql(dsn, "grant usage on bus.died to bus_writer")
    await sql(
        dsn,
        "create trigger dies before insert on bus.message_bus "
        "for each row execute function bus.die_once()",
    )
    claim = await bus.put(b"twice")
    assert await bus.get(claim.transaction_id) == b"twice"


async def test_what_is_no_failure_of_the_server_is_told_at_once() -> None:
    async def slow() -> None:
        raise StoreTimeout("no progress")

    async def failing() -> None:
        raise StoreFailed("said")

    for attempt in (slow, failing):
        async with asyncio.timeout(0.04):  # less than the first pause
            with pytest.raises(BusctlError):
                await patiently(attempt)
