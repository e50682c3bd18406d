"""Partitions: made once, owned by one role, closed to everybody else."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from tests.sql.conftest import run

FAR = "select bus.ensure_partitions(now() + interval '9 days', now() + interval '9 days')"
ID = "bus.first_id(now())"
INSERT = f"""
insert into bus.message_bus (transaction_id, expires_at, payload_size_bytes, stored_size_bytes,
    message_type, compression, content_type, owner, checksum, stored_checksum, payload)
values ({ID}, now() + interval '1 hour', 0, 0, 'tool_response', 'none', 'text/plain', 'tester',
    sha256(''), sha256(''), '')
"""


def current(parent: str, dsn: str) -> str:
    """The partition of now."""
    rows = run(dsn, f"select partition from bus.partitions where parent = '{parent}' "
                    "and lower_bound <= now() and upper_bound > now()")  # fmt: skip
    assert len(rows) == 1
    return str(rows[0][0])


def wait_for_lock(dsn: str, pid: int) -> None:
    deadline = time.monotonic() + 30
    waiting = f"select 1 from pg_stat_activity where pid = {pid} and wait_event_type = 'Lock'"
    while not run(dsn, waiting):
        assert time.monotonic() < deadline, "the second session never waited"
        time.sleep(0.02)


def test_two_sessions_making_the_same_partitions(migrated: str) -> None:
    made: list[object] = []
    with psycopg.connect(migrated) as first, psycopg.connect(migrated) as second:
        assert first.execute(FAR).fetchone() == (3,)

        def ask() -> None:
            try:
                made.append(second.execute(FAR.encode()).fetchone())
            except psycopg.Error as error:
                made.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        wait_for_lock(migrated, second.info.backend_pid)
        first.commit()
        asking.join(timeout=30)
        assert made == [(0,)]


def test_making_partitions_does_not_wait_for_readers_and_writers(migrated: str) -> None:
    with psycopg.connect(migrated) as busy:
        busy.execute(INSERT.encode())
        busy.execute("select count(*) from bus.message_bus")
        with psycopg.connect(migrated, autocommit=True) as maker:
            maker.execute("set lock_timeout = '1s'")
            assert maker.execute(FAR).fetchone() == (3,)


@pytest.mark.parametrize("role", ["bus_writer", "bus_janitor", "busctl"])
def test_partitions_are_alike_whoever_asked(migrated: str, role: str) -> None:
    before = run(migrated, "select partition from bus.partitions")
    with psycopg.connect(migrated, autocommit=True) as asking:
        superuser = asking.info.user
        asking.execute(f"set role {superuser if role == 'busctl' else role}".encode())
        assert asking.execute(FAR).fetchone() == (3,)
    rows = run(
        migrated,
        "select relowner::regrole::text, relrowsecurity, relforcerowsecurity, "
        "  (select count(*) from pg_policy where polrelid = pg_class.oid) "
        "from pg_class where relispartition and relkind = 'r' "
        "and relnamespace = 'bus'::regnamespace",
    )
    assert len(rows) == len(before) + 3
    assert set(rows) == {("bus_janitor", True, True, 1)}


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("now()", "now() + interval '33 days'"),
        ("now() - interval '101 days'", "now()"),
        ("now()", "'infinity'"),
        ("'-infinity'", "now()"),
    ],
)
def test_absurd_spans_are_refused(shared: str, first: str, last: str) -> None:
    before = run(shared, "select count(*) from bus.partitions")
    with pytest.raises(psycopg.Error) as caught:
        run(shared, f"select bus.ensure_partitions({first}, {last})")
    assert caught.value.sqlstate in ("22023", "22008")
    assert run(shared, "select count(*) from bus.partitions") == before


def test_past_partitions_can_be_made_for_an_import(migrated: str) -> None:
    rows = run(migrated, "select bus.ensure_partitions(now() - interval '1 year', "
                         "now() - interval '1 year')")  # fmt: skip
    assert rows == [(3,)]


def test_janitor_sees_the_rows_of_a_partition_by_its_name(migrated: str) -> None:
    run(migrated, INSERT)
    name = current("message_bus", migrated)
    for statement in (
        f"select count(*) from bus.{name}",
        f"with pinned as (update bus.{name} set pinned = true returning 1) "
        "select count(*) from pinned",
        f"with gone as (delete from bus.{name} returning 1) select count(*) from gone",
    ):
        with psycopg.connect(migrated, autocommit=True) as janitor:
            janitor.execute("set role bus_janitor")
            assert janitor.execute(statement.encode()).fetchone() == (1,)


def test_ids_and_times_agree(shared: str) -> None:
    moment = "timestamptz '2026-11-22 17:59:59.999+00'"
    assert run(shared, f"select bus.time_of(bus.first_id({moment})) = {moment}") == [(True,)]
    ids = run(shared, f"select bus.first_id({moment})::text, "
                        f"bus.first_id({moment} + interval '1 ms')::text")  # fmt: skip
    assert ids[0] == (
        "01a2046a-38ff-0000-0000-000000000000", "01a2046a-3900-0000-0000-000000000000",
    )  # fmt: skip
