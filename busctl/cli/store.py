"""`busctl store`: the embedded PostgreSQL that is used where no database is configured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.adapters.embedded import BackupReport, Status
    from busctl.core.configuration.settings import Settings

app = typer.Typer(
    help="Start, stop, look at, back up and restore the embedded store.", no_args_is_help=True
)


@app.command()
def start(
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Start the embedded store and keep it running until `busctl store stop`.

    Makes it first if it is not there, and brings its schema up to date. Without this, the store
    runs while a command uses it. --json prints {pid, postgresql, home, dsn}.

    \b
    Examples:
      busctl store start
      psql "$(busctl store start --json | jq -r .dsn)"
    """
    from busctl.adapters import embedded
    from busctl.cli.running import emit_json, run

    settings, home = _embedded(env_file, sets)
    server = embedded.start(home, bin_dir=settings.pg_bin, keep=True)
    run(_migrated(server.dsn))
    if as_json:
        emit_json({
            "pid": server.pid, "postgresql": server.version, "home": str(server.home),
            "dsn": server.dsn,
        })  # fmt: skip
    else:
        print(f"The store {server.home} is running: PostgreSQL {server.version}, pid {server.pid}.")


@app.command()
def stop(
    force: Annotated[
        bool, typer.Option("--force", help="Stop it even while others use it.")
    ] = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Stop the embedded store. Refuses while others use it, and says how many they are.

    --json prints {stopped}: false when it was not running.

    \b
    Examples:
      busctl store stop
      busctl store stop --force
    """
    from busctl.adapters import embedded
    from busctl.cli.running import emit_json

    _, home = _embedded(env_file, sets)
    stopped = embedded.stop(home, force=force)
    if as_json:
        emit_json({"stopped": stopped, "home": str(home)})
    else:
        print(f"The store {home} {'has stopped' if stopped else 'was not running'}.")


@app.command()
def status(
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Show whether the embedded store runs, where it is, how large, and how many use it.

    Changes and starts nothing. Exit 0 if it can be used, running or not. --json prints
    {state, running, pid, postgresql, home, data_dir, size_bytes, users, kept}; state is running,
    stopped, stale (a server died; the next start recovers) or absent.

    \b
    Examples:
      busctl store status
      busctl store status --json
    """
    from busctl.adapters import embedded
    from busctl.cli.running import emit_json

    _, home = _embedded(env_file, sets)
    found = embedded.status(home)
    if as_json:
        emit_json(status_shape(found))
        return
    for name, value in status_lines(found):
        print(f"{name:8} {value}")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to make; must not exist.")],
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Write the whole embedded store, as of one moment, to a new file; it goes on working.

    Every file in it has its SHA-256, which `restore` checks. Keep the checksum that is printed.
    --json prints {path, files, size_bytes, stored_size_bytes, checksum, postgresql}.

    \b
    Examples:
      busctl store backup /backups/bus-$(date +%F).tar.zst
      busctl store backup bus.backup --json
    """
    from busctl.adapters import embedded
    from busctl.cli.running import emit_json

    settings, home = _embedded(env_file, sets)
    if file.exists():
        raise _wrong(f"{file} exists.", "Give the backup another name.")
    if not file.absolute().parent.is_dir():
        raise _wrong(f"The folder {file.parent} does not exist.", "Make it, or name another file.")
    with _working(f"Backing up {home}"):
        report = embedded.backup(home, file, bin_dir=settings.pg_bin)
    if as_json:
        emit_json(backup_shape(report))
    else:
        print(_backup_line(report))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup made by this command.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a store that is there.")
    ] = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Make the embedded store from a backup, after checking every byte of it.

    The store that is there is touched only once the new one is complete, and only with --replace;
    that is asked for on a terminal and needs --yes elsewhere. The store must not be running.
    --json prints {restored, home, size_bytes}.

    \b
    Examples:
      busctl store restore bus.backup
      busctl store restore bus.backup --replace --yes
    """
    from busctl.adapters import embedded
    from busctl.cli.running import emit_json

    settings, home = _embedded(env_file, sets)
    if not file.is_file():
        raise _wrong(f"There is no backup {file}.", "Give the file that `store backup` made.")
    before = embedded.status(home)
    if replace and before.state != "absent" and not yes:
        _confirm(before)
    with _working(f"Restoring {home}"):
        embedded.restore(home, file, replace=replace, bin_dir=settings.pg_bin)
    after = embedded.status(home)
    if as_json:
        emit_json({"restored": True, "home": str(home), "size_bytes": after.size_bytes})
    else:
        print(f"Restored {after.home} from {file}: {_size(after.size_bytes)}, every file verified.")


def status_shape(found: Status) -> dict[str, Any]:
    """The JSON shape of a status."""
    return {
        "state": found.state, "running": found.state == "running", "pid": found.pid,
        "postgresql": found.version, "home": str(found.home), "data_dir": str(found.data_dir),
        "size_bytes": found.size_bytes, "users": found.users, "kept": found.kept,
    }  # fmt: skip


def status_lines(found: Status) -> list[tuple[str, object]]:
    """What people want to know of a status, as names and values."""
    kept = ", kept until `busctl store stop`" if found.kept else ""
    state = {"stale": "stale: its server died; the next start recovers it"}
    lines: list[tuple[str, object]] = [
        ("state", state.get(found.state, found.state) + kept),
        ("data", found.data_dir),
    ]
    if found.state != "absent":
        lines += [("version", f"PostgreSQL {found.version}"), ("size", _size(found.size_bytes))]
    if found.state == "running":
        users = "unknown" if found.users is None else found.users
        lines += [("pid", found.pid), ("users", users)]
    return lines


def backup_shape(report: BackupReport) -> dict[str, Any]:
    """The JSON shape of a backup."""
    return {
        "path": str(report.path), "files": report.files, "size_bytes": report.size_bytes,
        "stored_size_bytes": report.stored_size_bytes, "checksum": report.checksum,
        "postgresql": report.version,
    }  # fmt: skip


def _backup_line(report: BackupReport) -> str:
    return (
        f"Wrote {report.path}: {report.files} files, {_size(report.size_bytes)} in "
        f"{_size(report.stored_size_bytes)}.\nSHA-256 {report.checksum}"
    )


def _embedded(env_file: Path | None, sets: list[str] | None) -> tuple[Settings, Path]:
    """The settings and the store's folder. Raises ConfigurationError when it is elsewhere."""
    from busctl.adapters import embedded
    from busctl.cli.running import settings_for

    settings = settings_for(env_file, sets)
    if settings.database_url is not None:
        raise _wrong(
            "The store is not embedded: DATABASE_URL names a database of its own.",
            "Unset DATABASE_URL to use the embedded store; operate the other with its own tools.",
        )
    return settings, settings.store_dir or embedded.default_home()


async def _migrated(dsn: str) -> None:
    from busctl.adapters.postgres.migrator import Migrator

    async with await Migrator.connect(dsn) as migrator:
        await migrator.up()


def _confirm(found: Status) -> None:
    import sys

    if not sys.stdin.isatty():
        raise _wrong(
            f"Replacing the store {found.home} needs --yes.", "Back it up first, then add --yes."
        )
    question = f"Replace the store {found.home} ({_size(found.size_bytes)})?"
    typer.confirm(question, abort=True, err=True)


def _working(title: str) -> Any:
    """A spinner on stderr while it takes its time; nothing where stderr is no terminal."""
    import sys
    from contextlib import nullcontext

    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console
    from rich.markup import escape

    return Console(stderr=True).status(f"{escape(title)} …")


def _size(number: int) -> str:
    from busctl.cli.rendering import show_size

    return show_size(number)


def _wrong(message: str, remedy: str) -> Exception:
    from busctl.core.errors import ConfigurationError

    return ConfigurationError(message, remedy=remedy)
