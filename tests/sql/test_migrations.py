"""Migrations up, down and up again, on both ends of what is supported, whoever runs them."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.postgres.migrator import Migrator
from busctl.adapters.sqlfiles import migrations, snapshot
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.errors import (
    ConfigurationError,
    MigrationFailed,
    SchemaMissing,
    SchemaOutdated,
    StoreFailed,
)
from busctl.core.migration import script
from busctl.ops.migrate import verify
from tests.conftest import dsn_of, make_database
from tests.sql.conftest import login, run, unique, up

ALL = [one.title for one in migrations()]


async def down(dsn: str, target: str) -> list[str]:
    async with await Migrator.connect(dsn) as migrator:
        return [one.title for one in await migrator.down(target)]


async def assert_as_shipped(dsn: str) -> None:
    async with await Migrator.connect(dsn) as migrator:
        report = await verify(migrator, migrations(), snapshot())
    assert not report.findings
    assert report.checked > len(migrations())


async def test_up_down_up_as_superuser(empty: str) -> None:
    await assert_up_down_up(empty)


async def test_up_down_up_as_hosted_owner(hosted: str) -> None:
    await assert_up_down_up(hosted)


async def assert_up_down_up(dsn: str) -> None:
    assert await up(dsn) == ALL
    assert await up(dsn) == []
    await assert_as_shipped(dsn)
    assert await down(dsn, "0") == ALL[::-1]
    assert run(dsn, "select 1 from pg_namespace where nspname = 'bus'") == []
    assert await up(dsn) == ALL
    await assert_as_shipped(dsn)


async def test_one_step_down_and_up_at_a_time(migrated: str) -> None:
    versions = ["0", *(one.version for one in migrations())]
    for count, target in enumerate(reversed(versions[:-1]), start=1):
        assert await down(migrated, target) == [ALL[-count]]
    assert await up(migrated) == ALL
    await assert_as_shipped(migrated)


async def test_hosted_owner_uses_the_bus_and_nobody_else_got_in(hosted: str) -> None:
    await up(hosted)
    await assert_as_shipped(hosted)
    async with Bus.connect(Settings(database_url=hosted)) as bus:
        for payload in (b"x", b"\x00\xff" * 1_000_000):
            claim = await bus.put(payload)
            assert await bus.get(claim.transaction_id) == payload


async def test_partitions_reach_into_tomorrow(migrated: str) -> None:
    rows = run(
        migrated,
        "select parent, min(lower_bound) <= now(), max(upper_bound) > now() + interval '1 day' "
        "from bus.partitions group by parent order by parent",
    )
    assert rows == [
        ("message_bus", True, True), ("message_chunk", True, True), ("message_event", True, True),
    ]  # fmt: skip


async def test_many_ups_at_once_apply_each_migration_once(empty: str) -> None:
    done = await asyncio.gather(*(up(empty) for _ in range(4)))
    assert sorted(title for titles in done for title in titles) == ALL
    await assert_as_shipped(empty)


@pytest.mark.parametrize("bin_dir", [None, Path("/usr/lib/postgresql/15/bin")], ids=["18", "15"])
async def test_databases_of_one_cluster_migrated_at_once(
    open_folder: Path, bin_dir: Path | None
) -> None:
    # A cluster of its own, in which the roles do not exist yet: they are raced for.
    with embedded.acquire(open_folder / unique("cluster"), bin_dir=bin_dir) as lease:
        names = [unique("race") for _ in range(4)]
        dsns = [await make_database(lease.server, name, migrated=False) for name in names]
        assert await asyncio.gather(*(up(dsn) for dsn in dsns)) == [ALL] * 4


async def test_printed_sql_makes_what_up_makes(empty: str) -> None:
    run(empty, script(migrations()))
    assert await up(empty) == []
    await assert_as_shipped(empty)


async def test_printed_sql_fails_whole_on_a_migrated_database(migrated: str) -> None:
    with pytest.raises(psycopg.errors.DuplicateObject), psycopg.connect(migrated) as session:
        session.execute(script(migrations()).encode())
    await assert_as_shipped(migrated)


async def test_unknown_target_is_refused_and_named(migrated: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await down(migrated, "20200101000000")
    assert "20200101000000" in caught.value.message
    assert migrations()[0].version in caught.value.remedy
    await assert_as_shipped(migrated)


async def test_schema_missing_outdated_and_newer_are_told(empty: str) -> None:
    def connecting() -> AbstractAsyncContextManager[Bus]:
        return Bus.connect(Settings(database_url=empty))

    with pytest.raises(SchemaMissing, match="migrate up"):
        await connecting().__aenter__()
    await up(empty)
    await down(empty, migrations()[-2].version)
    with pytest.raises(SchemaOutdated, match="migrate up"):
        await connecting().__aenter__()
    await up(empty)
    run(empty, "insert into bus.migration values ('29990101000000', 'later', repeat('0', 64))")
    for refused in (connecting().__aenter__, lambda: up(empty)):
        with pytest.raises(SchemaOutdated, match="Upgrade busctl"):
            await refused()
    with pytest.raises(SchemaOutdated, match="cannot undo"):
        await down(empty, "0")


async def test_failed_migration_leaves_nothing_and_says_why(empty: str) -> None:
    run(empty, "create schema bus; create table bus.request ()")
    with pytest.raises(MigrationFailed, match="42P07") as caught:
        await up(empty)
    assert "create_events" in caught.value.message
    assert run(empty, "select to_regclass('bus.message_event')") == [(None,)]
    run(empty, "drop table bus.request")
    await up(empty)
    await assert_as_shipped(empty)


async def test_login_without_createrole_is_told_what_to_do(cluster: embedded.Server) -> None:
    name = unique("denied")
    run(cluster.dsn, f"create database {name} owner plain")
    run(cluster.dsn, "do $$ begin if to_regrole('bus_writer') is not null then "
        "revoke bus_writer, bus_reader, bus_janitor from plain; end if; end $$")  # fmt: skip
    dsn = login(dsn_of(cluster, name), "plain")
    with pytest.raises(MigrationFailed, match="42501") as caught:
        await up(dsn)
    assert "CREATEROLE" in caught.value.remedy
    assert "grant bus_writer, bus_reader, bus_janitor" in caught.value.remedy
    # What the remedy says is enough.
    run(cluster.dsn, "do $$ declare name text; begin "
        "foreach name in array array['bus_writer', 'bus_reader', 'bus_janitor'] loop "
        "if to_regrole(name) is null then execute format('create role %I nologin', name); end if; "
        "end loop; grant bus_writer, bus_reader, bus_janitor to plain; end $$")  # fmt: skip
    assert await up(dsn) == ALL


async def test_login_that_may_not_read_the_record(migrated: str) -> None:
    async with await Migrator.connect(login(migrated, "anon")) as migrator:
        with pytest.raises(StoreFailed, match="bus_reader") as caught:
            await migrator.recorded()
    assert caught.value.exit_code == 3


async def test_migration_does_not_wait_for_ever_behind_a_reader(
    migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("busctl.adapters.postgres.migrator.LOCK_TIMEOUT", "100ms")
    with psycopg.connect(migrated) as reader:
        reader.execute("select count(*) from bus.message_bus")
        with pytest.raises(MigrationFailed, match="55P03") as caught:
            await down(migrated, "0")
    assert "pg_stat_activity" in caught.value.remedy
