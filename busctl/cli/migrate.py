"""`busctl migrate`: make the schema, undo it, see where it stands, hand it to another tool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.adapters.postgres.migrator import Migrator
    from busctl.core.configuration.settings import Settings
    from busctl.core.migration import Migration, Standing
    from busctl.core.operating.finding import Report

app = typer.Typer(
    help="Make and check the database schema: up, down, status, verify, sql, export.",
    no_args_is_help=True,
)

To = Annotated[
    str, typer.Option("--to", metavar="V", help="Version to go back to; 0 undoes everything.")
]
Folder = Annotated[
    Path, typer.Option("--to", metavar="DIR", help="Folder, such as supabase/migrations.")
]


@app.command()
def up(
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Apply the pending migrations and make the partitions of today and tomorrow.

    Each migration is one transaction; several runs at once are safe. Without DATABASE_URL the
    embedded store is migrated. The login needs CREATEROLE, or the roles bus_writer, bus_reader and
    bus_janitor granted to it. --dry-run lists what is pending, one on a line, and does nothing.
    --json prints {applied: [{version, name}], pending: [...]}.

    \b
    Examples:
      busctl migrate up --dry-run
      busctl migrate up
      DATABASE_URL=postgresql://… busctl migrate up --json
    """
    from busctl.cli.running import emit_json, run, say, settings_for

    applied, pending = run(_up(settings_for(env_file, sets), dry_run))
    if as_json:
        emit_json({"applied": _shapes(applied), "pending": _shapes(pending)})
        return
    for one in applied or pending:
        print(one.title if dry_run else f"applied {one.title}")
    if not dry_run:
        say(f"{_count(applied)} applied; partitions of today and tomorrow are there.")


@app.command()
def down(
    to: To,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Undo the migrations after V, newest first. This destroys the messages they keep.

    Asks first, unless --yes. The roles stay: other databases may use them. --json prints
    {undone: [{version, name}], pending: [...]}, pending being what --dry-run would undo.

    \b
    Examples:
      busctl migrate down --to 20261122100400 --dry-run
      busctl migrate down --to 0 --yes
    """
    from busctl.cli.running import emit_json, run, say, settings_for

    settings = settings_for(env_file, sets)
    planned = run(_planned_down(settings, to))
    if planned and not dry_run and not yes:
        _ask(planned)
    undone = [] if dry_run or not planned else run(_down(settings, to))
    if as_json:
        emit_json({"undone": _shapes(undone), "pending": _shapes(planned if dry_run else [])})
        return
    for one in planned if dry_run else undone:
        print(one.title if dry_run else f"undone {one.title}")
    if not dry_run:
        say(f"{_count(undone)} undone.")


@app.command()
def status(
    as_json: options.Json = False, env_file: options.EnvFile = None, sets: options.Set = None
) -> None:
    """Show each migration: version, name, when it was applied, its state.

    States: applied, pending, changed (applied from another text than the shipped one), unknown
    (applied by a newer busctl). Exit 0 if all are applied, 1 otherwise, 3 if the store cannot be
    reached. --json prints {ok, migrations: [{version, name, state, applied_at}]}.

    \b
    Examples:
      busctl migrate status
      busctl migrate status --json
    """
    from busctl.adapters.sqlfiles import migrations
    from busctl.cli.running import emit_json, run, settings_for
    from busctl.ops import migrate

    async def ask(settings: Settings) -> list[Standing]:
        async with _migrator(settings) as migrator:
            return await migrate.status(migrator, migrations())

    found = run(ask(settings_for(env_file, sets)))
    ok = migrate.up_to_date(found)
    if as_json:
        emit_json({"ok": ok, "migrations": [_standing(one) for one in found]})
    else:
        for line in _table(found):
            print(line)
    if not ok:
        raise typer.Exit(1)


@app.command()
def verify(
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Compare the schema with what was shipped and tell each difference with its remedy.

    Looks at the recorded checksums and at the real catalog: tables, columns, types, constraints,
    indexes, functions, views, policies, row security, owners, grants, and every partition. Exit 0
    if nothing differs, 1 if anything does, 3 if it could not look. --json prints
    {ok, checked, findings: [{kind, subject, message, remedy}]}.

    \b
    Examples:
      busctl migrate verify
      busctl migrate verify --quiet || echo "the schema has drifted"
    """
    from busctl.adapters.sqlfiles import migrations, snapshot
    from busctl.cli.running import run, settings_for
    from busctl.ops import migrate

    async def look(settings: Settings) -> Report:
        async with _migrator(settings) as migrator:
            return await migrate.verify(migrator, migrations(), snapshot())

    report = run(look(settings_for(env_file, sets)))
    _show(report, as_json=as_json, quiet=quiet)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def sql(
    as_json: options.Json = False, env_file: options.EnvFile = None, sets: options.Set = None
) -> None:
    """Print the SQL that `up` runs on an empty database, as one transaction. Never connects.

    --json prints {sql, migrations: [{version, name}]}.

    \b
    Examples:
      busctl migrate sql > bus.sql
      busctl migrate sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"
    """
    from busctl.adapters.sqlfiles import migrations
    from busctl.cli.running import emit_json, settings_for
    from busctl.core.migration import script

    settings_for(env_file, sets)
    text = script(migrations())
    if as_json:
        emit_json({"sql": text, "migrations": _shapes(migrations())})
    else:
        print(text, end="")


@app.command()
def export(
    to: Folder,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Write the migrations as files for `supabase db push`. Never connects.

    The files are stamped newer than any file in DIR, as push demands. Each records itself in
    bus.migration and does nothing where `busctl migrate up` came first, and the other way round.
    What was exported before is recognised and not written again. Prints the names of the new
    files; --json prints {folder, written: [name]}.

    \b
    Examples:
      busctl migrate export --to supabase/migrations
      supabase db push
    """
    from busctl.adapters import migration_folder
    from busctl.adapters.sqlfiles import migrations
    from busctl.cli.running import emit_json, say, settings_for
    from busctl.core.migration_export import exported

    settings_for(env_file, sets)
    files = exported(migrations(), migration_folder.first_lines(to))
    migration_folder.write(to, files)
    if as_json:
        emit_json({"folder": str(to), "written": [name for name, _ in files]})
        return
    for name, _ in files:
        print(to / name)
    if not files:
        say(f"{to} has all migrations already; nothing was written.")


@asynccontextmanager
async def _migrator(settings: Settings) -> AsyncIterator[Migrator]:
    from busctl.adapters.postgres.migrator import Migrator
    from busctl.connect import store_dsn

    async with store_dsn(settings) as (dsn, _):
        timeout = settings.connect_timeout_secs
        async with await Migrator.connect(dsn, timeout=timeout) as migrator:
            yield migrator


async def _up(settings: Settings, dry_run: bool) -> tuple[list[Migration], list[Migration]]:
    """What was applied, and what is pending."""
    async with _migrator(settings) as migrator:
        return ([], await migrator.pending()) if dry_run else (await migrator.up(), [])


async def _planned_down(settings: Settings, target: str) -> list[Migration]:
    from busctl.adapters.sqlfiles import migrations
    from busctl.core.migration import to_undo

    async with _migrator(settings) as migrator:
        return to_undo(migrations(), await migrator.recorded(), target)


async def _down(settings: Settings, target: str) -> list[Migration]:
    async with _migrator(settings) as migrator:
        return await migrator.down(target)


def _ask(planned: Sequence[Migration]) -> None:
    import sys

    from busctl.core.errors import ConfigurationError

    if not sys.stdin.isatty():
        raise ConfigurationError(
            f"Undoing {_count(planned)} destroys what they keep, and nobody can be asked.",
            remedy="Say --yes if it is meant, or --dry-run to see what would be undone.",
        )
    for one in planned:
        typer.echo(f"would undo {one.title}", err=True)
    typer.confirm("Undo them and destroy what they keep?", abort=True, err=True)


def _count(some: Sequence[Migration]) -> str:
    return "1 migration" if len(some) == 1 else f"{len(some)} migrations"


def _shapes(some: Sequence[Migration]) -> list[dict[str, str]]:
    return [{"version": one.version, "name": one.name} for one in some]


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "version": one.version, "name": one.name, "state": one.state.value,
        "applied_at": one.applied_at,
    }  # fmt: skip


def _table(found: Sequence[Standing]) -> list[str]:
    rows = [(one.version, one.name, one.applied_at or "-", one.state.value) for one in found]
    lines = [("VERSION", "NAME", "APPLIED AT", "STATE"), *rows]
    first, second, third = (max(len(line[column]) for line in lines) for column in range(3))
    return [f"{a:{first}}  {b:{second}}  {c:{third}}  {d}" for a, b, c, d in lines]


def _show(report: Report, *, as_json: bool, quiet: bool) -> None:
    from dataclasses import asdict

    from busctl.cli.running import emit_json, say

    if as_json:
        findings = [asdict(one) for one in report.findings]
        emit_json({"ok": report.ok, "checked": report.checked, "findings": findings})
        return
    for one in report.findings:
        print(f"{one.subject}: {one.message}\n  fix: {one.remedy}")
    if report.findings:
        count = len(report.findings)
        say(f"The schema differs from what was shipped: {count} of {report.checked} points.")
    elif not quiet:
        say(f"The schema is what was shipped: {report.checked} points checked.")
