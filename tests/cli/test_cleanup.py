"""`busctl cleanup` as cron and people run it: processes, exit codes, accidents."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.cli.commands import busctl, put, start


@pytest.fixture(params=["database", "database15"], ids=["18", "15"])
def dsn(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


def sql(dsn: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def count(dsn: str, of: str = "bus.message_bus") -> int:
    return int(str(sql(dsn, f"select count(*) from {of}")[0][0]))


def fill(dsn: str, moment: datetime, rows: int = 3) -> str:
    """Expired messages made at `moment`; returns the name of their partition."""
    sql(dsn, "select bus.ensure_partitions(%s, %s)", moment, moment)
    sql(
        dsn,
        "insert into bus.message_bus (transaction_id, created_at, expires_at, payload_size_bytes, "
        "stored_size_bytes, message_type, compression, content_type, owner, checksum, "
        "stored_checksum, payload) select overlay(gen_random_uuid()::text placing "
        "substr(bus.first_id(%s)::text, 1, 13) from 1 for 13)::uuid, %s, now() - interval '1 s', "
        "1000, 1000, 'tool_response', 'none', 'text/plain', 'test', sha256(body), sha256(body), "
        "body from generate_series(1, %s) n, lateral (select decode(repeat('78', 1000), 'hex')) "
        "load (body)",
        moment, moment, rows,
    )  # fmt: skip
    start = moment.replace(hour=moment.hour // 6 * 6)
    return f"message_bus_p{start:%Y%m%dh%H}"


def old() -> datetime:
    return datetime.now(UTC) - timedelta(days=3)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.002)


def exists(dsn: str, table: str) -> bool:
    return sql(dsn, "select to_regclass(%s) is not null", f"bus.{table}") == [(True,)]


def pending(dsn: str, table: str) -> int:
    where = f"inhdetachpending and inhrelid = to_regclass('bus.{table}')"
    return count(dsn, f"pg_inherits where {where}")


def test_it_reports_what_it_removed(dsn: str) -> None:
    table = fill(dsn, old(), 500)
    fill(dsn, datetime.now(UTC), 3)
    kept = put(dsn, b"live")
    looked = busctl(dsn, "cleanup", "--dry-run", "--json")
    assert looked.code == 0 and looked.json["dry_run"] and count(dsn) == 504
    done = busctl(dsn, "cleanup", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["ok"] and done.json["messages"] == looked.json["messages"] == 503
    assert done.json["payload_bytes"] == 503_000
    assert done.json["returned_bytes"] == looked.json["returned_bytes"] > 500_000
    assert (done.json["rows_deleted"], done.json["reusable_bytes"]) == (3, 3000)
    (dropped,) = done.json["partitions_dropped"]
    assert dropped["partition"] == table and dropped["rows"] == 500
    assert done.json["left"] == []
    assert sql(dsn, "select transaction_id::text from bus.message_bus") == [(kept,)]


def test_it_says_so_in_words_and_is_silent_when_told(dsn: str) -> None:
    fill(dsn, old(), 2)
    quiet = busctl(dsn, "cleanup", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, b"", "")
    fill(dsn, old(), 1)
    done = busctl(dsn, "cleanup")
    assert done.text.startswith("Removed 1 message of 1.0 KB: 1 with 1 partition dropped (")
    assert "returned to the disk" in done.text and done.err == ""


def test_the_second_of_two_runs_ends_with_75(dsn: str) -> None:
    table = fill(dsn, old())
    with psycopg.connect(dsn) as reader:
        reader.execute("select count(*) from bus.message_bus")
        first = start(dsn, "cleanup", "--json")
        wait_for(lambda: pending(dsn, table))
        second = busctl(dsn, "cleanup")
        assert second.code == 75 and "Another cleanup is running" in second.err
        assert not second.out
    first.communicate(timeout=60)
    assert first.returncode == 0 and not exists(dsn, table)


def test_a_partition_that_stays_in_use_is_exit_1_and_told_even_with_q(
    database: str, database15: str
) -> None:
    """On both versions at once: each waits ten seconds for its reader."""
    table = fill(database, old())
    assert fill(database15, old()) == table
    with psycopg.connect(database) as reader, psycopg.connect(database15) as reader15:
        for one in (reader, reader15):
            one.execute("select count(*) from bus.message_bus")
        for run in [start(dsn, "cleanup", "-q") for dsn in (database, database15)]:
            out, err = run.communicate(timeout=60)
            assert run.returncode == 1 and out == b""
            assert f"{table}: left, in use through 4 attempts" in err.decode()
    for dsn in (database, database15):
        again = busctl(dsn, "cleanup", "--json")
        assert again.code == 0 and again.json["messages"] == 3 and not exists(dsn, table)


def test_killed_while_deleting_rows_it_goes_on_the_next_time(dsn: str) -> None:
    fill(dsn, datetime.now(UTC), 2000)
    run = start(dsn, "cleanup", "--batch", "1")
    wait_for(lambda: count(dsn) < 1990)
    run.kill()
    run.communicate()
    left = count(dsn)
    assert 0 < left < 1990
    wait_for(lambda: not holders(dsn))
    done = busctl(dsn, "cleanup", "--json")
    assert done.code == 0 and count(dsn) == 0
    # One event for each, also for the row that was being deleted at the kill.
    trail = "bus.message_event where kind = 'expired'"
    assert count(dsn, trail) == 2000
    assert count(dsn, f"(select distinct transaction_id from {trail}) one") == 2000


def holders(dsn: str) -> int:
    return count(
        dsn, "pg_stat_activity where application_name = 'busctl' and datname = current_database()"
    )


def test_killed_in_mid_detach_it_is_finished_the_next_time(dsn: str) -> None:
    table = fill(dsn, old())
    with psycopg.connect(dsn) as reader:
        reader.execute("select count(*) from bus.message_bus")
        run = start(dsn, "cleanup")
        wait_for(lambda: pending(dsn, table))
        run.kill()
        run.communicate()
        wait_for(lambda: not holders(dsn))
        assert pending(dsn, table) and exists(dsn, table)
    done = busctl(dsn, "cleanup", "--json")
    assert done.code == 0 and done.json["messages"] == 3
    assert not exists(dsn, table) and not pending(dsn, table)


def test_the_time_limit_is_told(dsn: str) -> None:
    fill(dsn, datetime.now(UTC), 5)
    done = busctl(dsn, "cleanup", "--max-seconds", "0", "--json")
    assert done.code == 0 and count(dsn) == 5
    assert {one["why"] for one in done.json["left"]} == {"out_of_time"}


@pytest.mark.parametrize(
    "arguments",
    [["--batch", "0"], ["--max-seconds", "-1"], ["--keep-events", "0"], ["--keep-events", "x"]],
)
def test_wrong_command_lines_are_exit_2(arguments: list[str]) -> None:
    done = busctl("postgresql://nobody@127.0.0.1:1/none", "cleanup", *arguments)
    assert done.code == 2 and done.err


def test_a_store_that_is_not_there_is_exit_3() -> None:
    done = busctl("postgresql://nobody:secret@127.0.0.1:1/none", "cleanup")
    assert done.code == 3 and "secret" not in done.err


def test_a_database_without_schema_is_exit_2(empty_database: str) -> None:
    done = busctl(empty_database, "cleanup")
    assert done.code == 2 and "busctl migrate up" in done.err


def test_help_has_examples() -> None:
    done = busctl(None, "cleanup", "--help")
    assert done.code == 0 and "busctl cleanup -q --max-seconds 300" in done.text
