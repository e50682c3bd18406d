"""Each check on a real database: fine when it is, and told by name when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from busctl.adapters.spool import FileSpool
from busctl.cli.check_run import CANARY, surroundings
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.operating.health import Grade, Health
from busctl.ops.check import CHECKS, check, kinds_of, names
from busctl.ops.check.registry import chosen, configured
from tests.adapters.bus_sql import sql
from tests.e2e.daemons import TOKEN, daemon

CRON = """
create schema cron;
create table cron.job (jobid bigint, jobname text, active boolean, command text, schedule text);
create table cron.job_run_details (jobid bigint, status text, return_message text,
                                   start_time timestamptz, end_time timestamptz)
"""
JOB = (
    "insert into cron.job values (7, 'busctl-cleanup', {active}, 'select bus.cleanup()', '@daily')"
)
RUN = "insert into cron.job_run_details values (7, '{status}', '{said}', now() - interval '{ago}')"
DAEMON = """
insert into bus.daemon (daemon, host, pid, version, started_at, seen_at, breaker, breaker_since,
    spool_messages, spool_bytes, spool_oldest, enabled, fallback)
values ('host:1', 'host', 1, 'v', now(), now() - interval '{silent} s', '{breaker}', now(),
    {waiting}, 10, now() - interval '{age} s', {enabled}, {fallback})
"""
MESSAGES = """
insert into bus.message_bus (transaction_id, created_at, expires_at, payload_size_bytes,
    stored_size_bytes, message_type, compression, content_type, owner, checksum, stored_checksum,
    payload)
select overlay(gen_random_uuid()::text placing substr(bus.first_id(now())::text, 1, 13)
               from 1 for 13)::uuid, now() - interval '3 days', {expires}, 1, 1,
       'tool_response', 'none', 'text/plain', 'test', sha256('x'), sha256('x'), 'x'
from generate_series(1, {count})
"""


def fresh(**values: object) -> str:
    """A daemon that is well, but for `values`."""
    well = {"silent": 1, "breaker": "closed", "waiting": 0, "age": 0, "enabled": True,
            "fallback": True}  # fmt: skip
    return DAEMON.format(**(well | values))


async def looked(
    dsn: str, *wanted: str, warn: dict[str, float] | None = None, **fields: object
) -> Health:
    from busctl.core.operating.health import with_thresholds

    own = {"port": 0, "state_dir": Path("/nonexistent/state")} | fields
    settings = Settings(database_url=SecretStr(dsn), **own)  # type: ignore[arg-type]  # pydantic converts
    checks = chosen(wanted)
    kinds = with_thresholds(configured(kinds_of(checks), settings), warn or {}, {})
    async with surroundings(settings) as (around, _):
        return await check(checks, around, kinds)


def found(health: Health) -> set[tuple[str, str]]:
    """Kind and grade of every finding."""
    return {(one.kind, one.grade.name) for each in health.judgements for one in each.findings}


async def test_a_healthy_deployment_is_ok_all_through(database: str) -> None:
    async with Bus.connect(Settings(database_url=SecretStr(database))) as bus:
        await bus.put(b"kept")
    health = await looked(database)
    assert found(health) == set()
    assert [one.check for one in health.judgements] == names()
    assert (health.exit_code, health.report.checked) == (0, len(CHECKS))
    assert await sql(database, "select tool_name from bus.message_bus") == [(None,)]
    assert health.connect_ms is not None
    assert {"store, 1 KB", "store, 1 MB"} <= {
        each.measure.subject for one in health.judgements for each in one.readings
    }


BAD: list[tuple[str, Sequence[str], set[tuple[str, str]]]] = [
    ("schema", ["alter table bus.request add column extra text"], {("schema.drift", "WARNING")}),
    ("schema", ["update bus.migration set checksum = repeat('0', 64) where version = "
                "(select min(version) from bus.migration)"], {("schema.changed", "WARNING")}),
    ("schema", ["delete from bus.migration where version = (select max(version) from "
                "bus.migration)"], {("schema.pending", "CRITICAL")}),
    ("schema", ["insert into bus.migration values ('29990101000000', 'later', repeat('0', 64))"],
     {("schema.newer", "CRITICAL")}),
    ("schema", ["drop schema bus cascade"], {("schema.missing", "CRITICAL")}),
    ("partitions", ["do $$ declare one text; begin for one in select partition from bus.partitions "
                    "loop execute 'drop table bus.' || one; end loop; end $$"],
     {("partitions.missing", "CRITICAL"), ("partitions.ahead_hours", "CRITICAL")}),
    ("partitions", ["create table bus.stray partition of bus.message_bus default"],
     {("partitions.default", "CRITICAL")}),
    ("partitions", ["select bus.ensure_partitions(now() - interval '9 days', now() - interval "
                    "'9 days')", "do $$ declare one text; begin select partition into one from "
                    "bus.partitions where parent = 'message_chunk' order by lower_bound limit 1; "
                    "execute 'alter table bus.message_chunk detach partition bus.' || one; end $$"],
     {("partitions.half_removed", "WARNING")}),
    ("breaker", [fresh(breaker="open")], {("breaker.open", "CRITICAL")}),
    ("breaker", [fresh(breaker="half_open")], {("breaker.half_open", "WARNING")}),
    ("breaker", [fresh(enabled=False)], {("breaker.disabled", "CRITICAL")}),
    ("breaker", [fresh(fallback=False)], {("breaker.fallback_off", "WARNING")}),
    ("spool", [fresh(waiting=3, age=5)], {("spool.messages", "WARNING")}),
    ("spool", [fresh(waiting=3000, age=90000)],
     {("spool.messages", "CRITICAL"), ("spool.oldest_secs", "CRITICAL")}),
    ("upstreams", [fresh(), "update bus.daemon set detail = detail || '{\"upstreams\": "
                   "[{\"name\": \"files\", \"condition\": \"waiting\", \"error\": \"gone\"}]}'"],
     {("upstreams.away", "WARNING")}),
    ("upstreams", [fresh(), "update bus.daemon set detail = detail || '{\"upstreams\": "
                   "[{\"name\": \"files\", \"condition\": \"ready\", \"error\": null, "
                   "\"left_out\": [\"tool x\"]}]}'"],
     {("upstreams.left_out", "WARNING")}),
    ("expiry", [MESSAGES.format(expires="now() - interval '9 hours'", count=3)],
     {("expiry.overdue_hours", "WARNING")}),
    ("expiry", [MESSAGES.format(expires="now() - interval '2 days'", count=3)],
     {("expiry.overdue_hours", "CRITICAL")}),
    ("backlog", [MESSAGES.format(expires="now() + interval '1 hour'", count=10_000)],
     {("backlog.messages", "WARNING")}),
    ("quota", ["do $$ begin execute 'alter database ' || current_database() || ' set "
               "default_transaction_read_only = on'; end $$"], {("quota.read_only", "CRITICAL")}),
    ("latency", [MESSAGES.format(expires="now() + interval '1 hour'", count=10),
                 "update bus.message_bus set write_duration_ms = 2000, read_duration_ms = 9000"],
     {("latency.write_ms", "WARNING"), ("latency.read_ms", "CRITICAL")}),
    ("clock", [fresh(silent=100)], {("clock.silent_secs", "WARNING")}),
    ("cron", [CRON, JOB.format(active=True), RUN.format(status="failed", said="no", ago="1 hour")],
     {("cron.failed", "CRITICAL"), ("cron.failed_runs", "WARNING")}),
    ("cron", [CRON, JOB.format(active=False),
              RUN.format(status="succeeded", said="1", ago="1 hour")],
     {("cron.inactive", "WARNING")}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "statements", "wanted"), BAD, ids=[f"{one[0]}-{min(one[2])[0]}" for one in BAD]
)
async def test_what_is_wrong_is_told(
    database: str, name: str, statements: Sequence[str], wanted: set[tuple[str, str]]
) -> None:
    for statement in statements:
        await sql(database, statement)
    health = await looked(database, name)
    assert found(health) == wanted
    assert health.exit_code == 1
    assert all(one.remedy and one.subject for one in health.judgements[0].findings)


GOOD: list[tuple[str, list[str]]] = [
    ("breaker", [fresh()]),
    ("spool", [fresh()]),
    ("upstreams", [fresh(), "update bus.daemon set detail = detail || '{\"upstreams\": "
                   "[{\"name\": \"files\", \"condition\": \"ready\", \"error\": null}]}'"]),
    ("clock", [fresh()]),
    ("expiry", [MESSAGES.format(expires="now() - interval '2 hours'", count=3)]),
    ("expiry", [MESSAGES.format(expires="now() - interval '9 days'", count=3),
                "update bus.message_bus set pinned = true"]),
    ("backlog", [MESSAGES.format(expires="now() - interval '1 hour'", count=10_000)]),
    ("cron", [CRON, JOB.format(active=True),
              RUN.format(status="failed", said="old", ago="3 days"),
              RUN.format(status="succeeded", said="1 row", ago="1 hour")]),
    ("cron", [CRON]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "statements"), GOOD, ids=[one[0] for one in GOOD])
async def test_what_is_well_is_ok(database: str, name: str, statements: list[str]) -> None:
    for statement in statements:
        await sql(database, statement)
    health = await looked(database, name)
    assert (found(health), health.exit_code) == (set(), 0)


async def test_a_store_that_is_away_is_told_once_and_everything_else_is_unknown() -> None:
    health = await looked("postgresql://nobody:secret@127.0.0.1:1/none")
    by_name = {one.check: one.grade for one in health.judgements}
    assert by_name.pop("connection") is Grade.CRITICAL
    assert set(by_name.values()) - {Grade.UNKNOWN} == set(), by_name
    assert health.exit_code == 3
    assert "secret" not in str(health)


async def test_this_hosts_spool_is_looked_at_even_without_the_store(tmp_path: Path) -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    settings = Settings(database_url=SecretStr(away), spool_dir=tmp_path)
    spool = FileSpool.of(settings)
    async with Bus.connect(settings, lazily=True) as bus:
        bus.sink = spool.sink("store away", "test")
        await bus.put(b"waits")
    health = await looked(away, "spool", spool_dir=tmp_path)
    assert found(health) == {("spool.messages", "WARNING"), ("spool.unknown", "UNKNOWN")}
    full = await looked(away, "spool", spool_dir=tmp_path, spool_max_mb=0.0001)
    assert ("spool.used_share", "CRITICAL") in found(full)


async def test_what_is_switched_off_is_never_silent(database: str) -> None:
    health = await looked(
        database, "connection", "breaker", "spool", "integrity",
        enabled=False, fallback_to_websocket=False, checksum_enabled=False,
    )  # fmt: skip
    assert found(health) == {
        ("connection.disabled", "CRITICAL"), ("breaker.disabled", "CRITICAL"),
        ("spool.off", "WARNING"),
        ("integrity.checksum_off", "WARNING"), ("integrity.not_tried", "UNKNOWN"),
    }  # fmt: skip


async def test_a_daemon_that_stores_nothing_is_asked_itself(database: str) -> None:
    """It writes no row, whoever looks has the bus switched on, and the store knows of nobody."""
    with daemon(database, MESSAGE_BUS_ENABLED="false") as running:
        health = await looked(database, "breaker", port=running.port)
        assert found(health) == {("breaker.disabled", "CRITICAL")}
        (one,) = health.judgements[0].findings
        assert one.subject.endswith(f":{running.process.pid}")
        away = await looked("postgresql://nobody@127.0.0.1:1/none", "breaker", port=running.port)
        assert found(away) == {("breaker.disabled", "CRITICAL"), ("breaker.unknown", "UNKNOWN")}
    assert found(await looked(database, "breaker", port=running.port)) == set()


async def test_a_daemon_that_is_well_is_counted_once(database: str) -> None:
    with daemon(database) as running:
        while await sql(database, "select count(*) from bus.daemon") == [(0,)]:
            await asyncio.sleep(0.05)
        health = await looked(database, "breaker", port=running.port)
    assert (found(health), health.judgements[0].summary) == (set(), "1 of 1 breakers closed.")


async def test_another_program_at_the_port_is_no_daemon(database: str) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert found(await looked(database, "breaker", port=port)) == set()


async def test_a_database_over_its_budget(database: str) -> None:
    ((size,),) = await sql(database, "select pg_database_size(current_database())")
    fits = await looked(database, "quota", db_max_bytes=size * 2)
    near = await looked(database, "quota", db_max_bytes=int(size * 1.2))
    over = await looked(database, "quota", db_max_bytes=size)
    assert found(fits) == set()
    assert found(near) == {("quota.database_share", "WARNING")}
    assert found(over) == {("quota.database_share", "CRITICAL")}


async def test_thresholds_of_the_caller(database: str) -> None:
    health = await looked(
        database, "latency", "connection",
        warn={"latency.ping_ms": 0.0, "connection.connect_ms": 0.0},
    )  # fmt: skip
    assert found(health) == {
        ("latency.ping_ms", "WARNING"), ("connection.connect_ms", "WARNING"),
    }  # fmt: skip


async def test_a_login_that_may_not_read_is_unknown(database: str) -> None:
    await sql(database, "revoke select on bus.message_bus from bus_reader")
    health = await looked(database, "expiry", "backlog")
    assert found(health) == {("expiry.unknown", "UNKNOWN"), ("backlog.unknown", "UNKNOWN")}
    assert health.exit_code == 3


async def test_canaries_take_every_path_of_a_daemon_and_leave_nothing(database: str) -> None:
    with daemon(database) as running:
        health = await looked(database, "integrity", port=running.port, token=TOKEN)
        (one,) = health.judgements
        assert found(health) == set()
        paths = {each.measure.subject.partition(",")[0] for each in one.readings}
        assert paths == {"store", "websocket", "claim", "http identity"}
        refused = await looked(database, "integrity", port=running.port, token="x" * 20)
        assert found(refused) == {("integrity.not_tried", "UNKNOWN")}
        assert refused.exit_code == 3
    assert await sql(database, "select count(*) from bus.message_bus") == [(0,)]
    ((removed,),) = await sql(
        database, "select count(*) from bus.message_event where kind = 'removed'"
    )
    assert removed == 10
    sessions = await sql(database, "select distinct session_id from bus.request")
    assert {name for (name,) in sessions} <= {CANARY}


async def test_a_damaged_canary_is_told(database: str) -> None:
    await sql(
        database,
        "create function public.spoil() returns trigger language plpgsql as $$ begin "
        "new.payload := overlay(new.payload placing '\\x00' from 5); return new; end $$",
    )
    await sql(
        database,
        "do $$ declare one text; begin for one in select partition from bus.partitions where "
        "parent = 'message_bus' loop execute 'create trigger spoil before insert on bus.' || one "
        "|| ' for each row when (new.payload is not null) execute function public.spoil()'; "
        "end loop; end $$",
    )
    health = await looked(database, "integrity")
    assert ("integrity.failed", "CRITICAL") in found(health)


def test_every_check_has_its_own_file_and_names_its_kinds() -> None:
    folder = Path(__file__).parents[2] / "busctl" / "ops" / "check"
    for one in CHECKS:
        assert (folder / f"{one.name}.py").exists()
        assert all(kind.startswith(f"{one.name}.") for kind in one.kinds)
        assert all(known.remedy.endswith((".", ")")) for known in one.kinds.values())
