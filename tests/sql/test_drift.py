"""The shipped snapshot is what the migrations make, and `verify` sees whatever differs from it."""

from __future__ import annotations

from busctl.adapters.postgres.migrator import Migrator
from busctl.adapters.sqlfiles import migrations, snapshot
from busctl.core.operating.finding import Finding
from busctl.ops.migrate import verify
from tests.sql.conftest import run, up
from tests.sql.snapshot import HEADER, SNAPSHOT, lines_of
from tests.sql.test_partitions import current

FORGED = "returns {} language sql immutable set search_path = '' return {}"
DRIFT = [
    ("drop index bus.message_bus_pinned", "index message_bus_pinned"),
    ("create index stray on bus.request (daemon)", "index stray"),
    ("alter table bus.message_bus no force row level security", "table message_bus"),
    ("alter table bus.request disable row level security", "table request"),
    ("alter table bus.request owner to current_user", "table request"),
    ("alter table bus.message_bus alter payload set storage main", "column message_bus.payload"),
    ("alter table bus.request alter daemon drop not null", "column request.daemon"),
    ("alter table bus.request alter answered set default true", "column request.answered"),
    ("alter table bus.request add stray integer", "column request.stray"),
    ("alter table bus.request drop lease_until", "column request.lease_until"),
    ("alter table bus.migration drop constraint migration_checksum_check",
     "constraint migration_checksum_check on migration"),
    ("alter domain bus.sha256 drop constraint sha256_check", "constraint sha256_check on sha256"),
    ("alter type bus.compression add value 'lz4'", "type compression"),
    ("drop policy chunk_read on bus.message_chunk", "policy chunk_read on message_chunk"),
    ("create policy stray on bus.message_bus using (true)", "policy stray on message_bus"),
    ("alter policy message_read on bus.message_bus using (true)",
     "policy message_read on message_bus"),
    ("create or replace function bus.time_of(id uuid) "
     + FORGED.format("timestamptz", "timestamptz 'epoch'"), "function bus.time_of(uuid)"),
    ("alter function bus.message_get(uuid) security invoker", "function bus.message_get(uuid)"),
    ("alter function bus.chunk_get(uuid, integer, integer) reset search_path",
     "function bus.chunk_get(uuid,integer,integer)"),
    ("alter function bus.damaged_parts(uuid) owner to bus_janitor",
     "function bus.damaged_parts(uuid)"),
    ("create function bus.stray() " + FORGED.format("integer", "1"), "function bus.stray()"),
    ("alter view bus.messages set (security_invoker = false)", "view messages"),
    ("create or replace view bus.message_history with (security_invoker = true) as select "
     "transaction_id, at, kind, hop, detail from bus.message_event where kind <> 'denied'",
     "view message_history"),
    ("grant select on bus.message_bus to public", "grant on relation message_bus to public"),
    ("grant update (payload) on bus.message_bus to bus_reader",
     "grant on column message_bus.payload to bus_reader"),
    ("revoke insert on bus.message_chunk from bus_writer",
     "grant on relation message_chunk to bus_writer"),
    ("grant usage on schema bus to public", "grant on schema bus to public"),
    ("grant execute on function bus.ensure_partitions(timestamptz, timestamptz) to public",
     "grant on function bus.ensure_partitions(timestamp with time zone,timestamp with time zone) "
     "to public"),
    ("create table bus.stray_table ()", "table stray_table"),
    ("create trigger stray before insert on bus.request for each row "
     "execute function pg_catalog.suppress_redundant_updates_trigger()",
     "trigger stray on request"),
    ("alter table bus.{message_bus} disable row level security", "partition {message_bus}"),
    ("alter table bus.{message_chunk} no force row level security", "partition {message_chunk}"),
    ("grant select on bus.{message_event} to public", "partition {message_event}"),
    ("update bus.migration set checksum = repeat('0', 64) where version = '20261122100100'",
     "migration 20261122100100_create_messages"),
]  # fmt: skip


async def findings(dsn: str) -> dict[str, Finding]:
    async with await Migrator.connect(dsn) as migrator:
        report = await verify(migrator, migrations(), snapshot())
    return {one.subject: one for one in report.findings}


async def test_snapshot_is_what_the_migrations_make(empty: str) -> None:
    lines = await lines_of(empty)
    again = "run `python -m tests.sql.snapshot`"
    assert HEADER + "\n".join(lines) + "\n" == SNAPSHOT.read_text(encoding="utf-8"), again


async def test_snapshot_does_not_depend_on_who_migrates(hosted: str) -> None:
    assert await lines_of(hosted) == [line for line in snapshot() if not line.startswith("#")]


async def test_each_drift_is_found_and_has_a_remedy(migrated: str) -> None:
    parents = ("message_bus", "message_chunk", "message_event")
    names = {parent: current(parent, migrated) for parent in parents}
    known = await findings(migrated)
    assert known == {}
    for statement, subject in DRIFT:
        wanted = subject.format(**names) if "{message" in subject else subject
        before = known.get(wanted)
        run(migrated, statement.format(**names) if "{message" in statement else statement)
        known = await findings(migrated)
        assert wanted in known, statement
        assert known[wanted] != before, statement
        assert known[wanted].remedy, statement


async def test_partitions_of_other_days_and_detached_ones_are_no_drift(migrated: str) -> None:
    name = current("message_chunk", migrated)
    run(migrated, "select bus.ensure_partitions(now() - interval '20 days', now())")
    run(migrated, f"alter table bus.message_chunk detach partition bus.{name}")
    assert await findings(migrated) == {}


async def test_missing_pending_and_unknown_migrations_are_found(empty: str) -> None:
    assert set(await findings(empty)) == {"schema bus"}
    await up(empty)
    newest = migrations()[-1]
    run(empty, f"delete from bus.migration where version = '{newest.version}'")
    run(empty, "insert into bus.migration values ('29990101000000', 'later', repeat('0', 64))")
    found = await findings(empty)
    assert {subject: one.kind for subject, one in found.items()} == {
        f"migration {newest.title}": "pending", "migration 29990101000000_later": "unknown",
    }  # fmt: skip
