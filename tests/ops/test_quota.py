"""The byte budget: puts refused by name, measured once in an interval; space by force."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from busctl.core.configuration.settings import Settings
from busctl.core.errors import BusctlError, StoreOverBudget, StoreUnreachable
from busctl.core.operating.quota import Budget, Level
from busctl.ops.quota import QuotaGuard
from tests.adapters.bus_sql import connected, eventually, new_id, sql
from tests.cli.commands import busctl
from tests.e2e.daemons import daemon, session

BUDGET = Budget(1000, 0.8, 0.95)
DAY = 86400


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("size", "level"),
    [(0, Level.FINE), (799, Level.FINE), (800, Level.NEAR), (949, Level.NEAR), (950, Level.OVER)],
)
def test_levels(size: int, level: Level) -> None:
    assert BUDGET.level(size) is level


async def test_a_put_measures_once_in_an_interval_and_upkeep_comes_first() -> None:
    sizes = [700, 990, 100]
    looks = 0

    async def measure() -> int:
        nonlocal looks
        looks += 1
        return sizes[looks - 1]

    clock = Hand()
    guard = QuotaGuard(BUDGET, 30, clock, measure)  # type: ignore[arg-type]  # the part that is used
    for _ in range(100):
        await guard.admit()
    assert looks == 1
    clock.seconds += 30
    await guard.look()
    with pytest.raises(StoreOverBudget, match=r"990 bytes, 99% of BUSCTL_DB_MAX_BYTES \(1,000\)"):
        await guard.admit()
    assert looks == 2
    clock.seconds += 61
    await guard.admit()
    assert looks == 3


async def test_what_cannot_be_measured_refuses_nothing() -> None:
    async def measure() -> int:
        raise StoreUnreachable("away")

    guard = QuotaGuard(BUDGET, 30, Hand(), measure)  # type: ignore[arg-type]  # the part that is used
    await guard.admit()
    with pytest.raises(BusctlError):
        await guard.look()


async def test_puts_of_every_kind_are_refused_and_gets_are_not(database: str) -> None:
    async with connected(database) as bus:
        kept = await bus.put(b"before")
    async with connected(database, db_max_bytes=1_000_000) as bus:
        for payload in (b"small", bytes(3 << 20)):
            with pytest.raises(StoreOverBudget) as caught:
                await bus.put(payload)
            assert caught.value.transaction_id is not None
        assert await bus.get(kept.transaction_id) == b"before"
    assert await sql(database, "select count(*) from bus.message_bus") == [(1,)]
    done = busctl(database, "put", "-", "-s", "BUSCTL_DB_MAX_BYTES=1MB", given=b"x")
    assert done.code == 3 and "busctl cleanup --max-db-bytes" in done.err


async def test_a_daemon_over_its_budget_falls_back_to_its_spool(
    database: str, tmp_path: Path
) -> None:
    settings = {"BUSCTL_SPOOL_DIR": str(tmp_path / "spool"), "BUSCTL_QUOTA_INTERVAL_SECS": "0.2"}
    with daemon(database, BUSCTL_DB_MAX_BYTES="1MB", **settings) as running:
        async with session(running) as client:
            frame = await client.call("echo", {"text": "hello"})
        assert frame["outputs"] == [{"type": "text", "text": "hello"}], frame
        assert "database is over its budget" in running.log
        assert await sql(database, "select count(*) from bus.message_bus") == [(0,)]
    with daemon(database, **settings):
        await eventually(lambda: _stored(database), "it is reconciled once there is room")


async def _stored(database: str) -> bool:
    return await sql(database, "select count(*) from bus.message_bus") == [(1,)]


# --- cleanup --max-db-bytes --------------------------------------------------------------------


async def filled(dsn: str) -> dict[str, str]:
    """An old partition that was delivered, an older one that was not, one with a pin, and one
    message of now. Returns their ids."""
    ids = {}
    async with connected(dsn, ttl_hours=1000, horizon_hours=1000) as bus:
        for name, age, count in (
            ("undelivered", 5 * DAY, 3), ("delivered", 3 * DAY, 3), ("pinned", 4 * DAY, 2),
            ("new", 0, 2),
        ):  # fmt: skip
            for number in range(count):
                at = new_id(-age - number)
                await bus.put(os.urandom(40_000), transaction_id=at)
                if name == "delivered":
                    await bus.get(at)
                ids[f"{name}{number}"] = str(at)
    await sql(dsn, "update bus.message_bus set pinned = true where transaction_id = %s::uuid",
              ids["pinned0"])  # fmt: skip
    return ids


async def present(dsn: str, ids: dict[str, str]) -> set[str]:
    rows = await sql(dsn, "select transaction_id::text from bus.message_bus")
    there = {name for (name,) in rows}
    return {name for name, each in ids.items() if each in there}


async def size_of(dsn: str) -> int:
    ((size,),) = await sql(dsn, "select pg_database_size(current_database())")
    return int(size)


async def test_what_was_delivered_goes_first_and_only_as_much_as_it_takes(database: str) -> None:
    ids = await filled(database)
    size = await size_of(database)
    limit = str(size - 100_000)
    looked = busctl(database, "cleanup", "--max-db-bytes", limit, "--dry-run", "--json")
    assert looked.json["shrunk"]["messages"] == 3 and await size_of(database) == size
    done = busctl(database, "cleanup", "--max-db-bytes", limit, "--yes", "--json")
    assert done.code == 0, done.err
    shrunk = done.json["shrunk"]
    assert (shrunk["messages"], shrunk["undelivered"], len(shrunk["partitions"])) == (3, 0, 1)
    assert shrunk["before"] >= size and shrunk["after"] <= int(limit)
    assert await present(database, ids) == {
        "undelivered0", "undelivered1", "undelivered2", "pinned0", "pinned1", "new0", "new1",
    }  # fmt: skip
    ((detail,),) = await sql(
        database, "select detail from bus.message_event where detail ? 'partition'"
    )
    assert (detail["reason"], detail["rows"]) == ("byte budget", 3)


async def test_pinned_messages_stay_whatever_is_asked(database: str) -> None:
    ids = await filled(database)
    done = busctl(database, "cleanup", "--max-db-bytes", "1000", "--yes")
    assert done.code == 1
    assert "never fetched" in done.text and "1 pinned message stayed" in done.text
    assert await present(database, ids) == {"pinned0"}
    gone = busctl(database, "get", ids["new0"])
    assert gone.code == 1 and "removed" in gone.err
    ((events,),) = await sql(
        database, "select count(*) from bus.message_event where kind = 'removed' and "
        "detail ->> 'reason' = 'byte budget'",
    )  # fmt: skip
    assert events == 3


async def test_nothing_is_lost_where_there_is_room(database: str) -> None:
    ids = await filled(database)
    done = busctl(database, "cleanup", "--max-db-bytes", "8GB", "--yes", "--json")
    assert done.code == 0 and done.json["shrunk"]["messages"] == 0
    assert await present(database, ids) == set(ids)


def test_it_must_be_meant() -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    for arguments in (["1MB"], ["many", "--yes"]):
        done = busctl(away, "cleanup", "--max-db-bytes", *arguments)
        assert done.code == 2 and not done.out
    assert json.dumps(Settings(db_max_bytes="500MB").db_max_bytes) == "500000000"
    with pytest.raises(ValueError, match="WARN"):
        Settings(quota_warn_share=0.99)


async def test_a_read_only_database_is_shrunk_all_the_same(database: str) -> None:
    ids = await filled(database)
    await sql(
        database,
        "do $$ begin execute 'alter database ' || current_database() || ' set "
        "default_transaction_read_only = on'; end $$",
    )
    size = await size_of(database)
    done = busctl(database, "cleanup", "--max-db-bytes", str(size - 100_000), "--yes", "--json")
    assert done.code == 0, done.err
    assert len(await present(database, ids)) == len(ids) - 3
