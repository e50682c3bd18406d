"""`busctl generate`: what cron, systemd and pg_cron need to run busctl by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.adapters.environment import Loaded
    from busctl.ops.generate import Service

app = typer.Typer(help="Print what lets cron, systemd or pg_cron run busctl.", no_args_is_help=True)

Schedule = Annotated[str, typer.Option(metavar="CRON", help="When: five cron fields or @daily.")]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file", help="Settings file that the command will read. Default: ./.env if it exists."
    ),
]


@app.command()
def cron(
    schedule: Schedule = "17 * * * *",
    alert: Annotated[
        bool, typer.Option("--alert", help="Print a line that raises and clears alerts, too.")
    ] = False,
    alert_schedule: Annotated[
        str, typer.Option(metavar="CRON", help="When that one runs, with --alert.")
    ] = "*/5 * * * *",
    env_file: EnvFile = None,
    as_json: options.Json = False,
) -> None:
    """Print a crontab line that runs `busctl cleanup`, with --alert one of `busctl check --alert`.

    All paths in it are absolute: cron has a short PATH and none of your environment, so the
    settings must be in the file. It prints nothing while all is well, so cron mails only trouble.
    A daemon looks and alerts by itself (BUSCTL_ALERT_INTERVAL_SECS): --alert is for a host without
    one, or for looking at a daemon from elsewhere. --json prints line, schedule, env_file,
    alert_line and alert_schedule (null without --alert).

    \b
    Examples:
      busctl generate cron --env-file /etc/busctl/env
      busctl generate cron --env-file /etc/busctl/env --alert
      (crontab -l; busctl generate cron --env-file ~/bus.env) | crontab -
      busctl generate cron --schedule "*/30 * * * *"
    """
    from busctl.cli.running import emit_json
    from busctl.ops.generate import alert_line, crontab_line

    file = _chosen(env_file)
    line = crontab_line(own_command(), file, schedule)
    looking = alert_line(own_command(), file, alert_schedule) if alert else None
    if as_json:
        emit_json({
            "line": line, "schedule": schedule, "env_file": file, "alert_line": looking,
            "alert_schedule": alert_schedule if alert else None,
        })  # fmt: skip
        return
    print(line)
    if looking:
        print(looking)


@app.command()
def systemd(
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Write the units to DIR.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="User that runs the services. Default: who runs this.")
    ] = None,
    env_file: EnvFile = None,
    as_json: options.Json = False,
) -> None:
    """Print (or write) units: the daemon, and cleanup with its timer.

    The names begin with busctl- because systemd has a busctl of its own. What the services write
    goes to /var/lib/busctl unless the settings file says otherwise. --json prints
    {units: {name: text}, written: [path]}.

    \b
    Examples:
      busctl generate systemd --env-file /etc/busctl/env --user busctl
      sudo busctl generate systemd --env-file /etc/busctl/env --output /etc/systemd/system
      sudo systemctl enable --now busctl-serve.service busctl-cleanup.timer
    """
    from busctl.cli.running import emit_json, say
    from busctl.ops.generate import systemd_units

    units = systemd_units(_service(_chosen(env_file), user))
    written = [output.absolute() / name for name in units] if output else []
    if output:
        output.mkdir(parents=True, exist_ok=True)
        for path in written:
            path.write_text(units[path.name], encoding="utf-8")
            say(f"wrote {path}")
    if as_json:
        emit_json({"units": units, "written": [str(path) for path in written]})
    elif not output:
        print("\n".join(f"# {name}\n{text}" for name, text in units.items()), end="")


@app.command("pg_cron")
def pg_cron(
    schedule: Schedule = "17 * * * *",
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Print SQL that has the database clean up by itself, with pg_cron.

    Schedules the function bus.cleanup(), and the purge of pg_cron's own history. Where a machine
    can run `busctl cleanup`, prefer that: it drops partitions without stopping anybody.
    --json prints {sql, schedule}.

    \b
    Examples:
      busctl generate pg_cron | psql "$DATABASE_URL"
      busctl generate pg_cron --schedule "*/10 * * * *"
    """
    from busctl.cli.running import emit_json, settings_for
    from busctl.ops.generate import pg_cron_sql

    sql = pg_cron_sql(schedule, settings_for(env_file, sets).keep_events_days)
    if as_json:
        emit_json({"sql": sql, "schedule": schedule})
    else:
        print(sql, end="")


def own_command() -> list[str]:
    """How to start this very busctl from anywhere, by absolute paths."""
    import sys

    script = Path(sys.executable).absolute().parent / "busctl"
    if script.is_file() and b"busctl.cli.app" in script.read_bytes()[:4096]:
        return [str(script)]
    return [str(Path(sys.executable).absolute()), "-P", "-m", "busctl"]


def _chosen(env_file: Path | None) -> Path | None:
    """The settings file by absolute path; says so when the command will have no settings."""
    import os

    from busctl.adapters.environment import OriginKind
    from busctl.cli.running import say
    from busctl.core.configuration.settings import known_names
    from busctl.core.errors import ConfigurationError

    if env_file is None:
        env_file = Path(".env") if Path(".env").is_file() else None
    elif not env_file.is_file():
        raise ConfigurationError(
            f"There is no file {env_file}.", remedy="Give --env-file a file with the settings."
        )
    file = env_file.absolute() if env_file else None
    told = _bare(file).origins
    fields = known_names()
    only_here = sorted(
        name for name, value in os.environ.items()
        if value and name in fields and told[fields[name]].kind is OriginKind.DEFAULT
    )  # fmt: skip
    if only_here:
        say(
            f"warning: {', '.join(only_here)}: set here, but not where this runs; "
            "put it in a file and name that with --env-file."
        )
    return file


def _bare(env_file: Path | None) -> Loaded:
    """The settings as a command without environment will have them."""
    from busctl.adapters.environment import load

    return load(env_file=env_file, environ={}, cwd=Path("/"))


def _service(env_file: Path | None, user: str | None) -> Service:
    import getpass

    from busctl.ops.generate import STATE, Service

    settings = _bare(env_file).settings
    environment = {}
    if settings.database_url is None and settings.store_dir is None:
        environment["BUSCTL_STORE_DIR"] = str(STATE / "store")
    if settings.state_dir is None:
        environment["BUSCTL_STATE_DIR"] = str(STATE / "state")
    return Service(
        command=own_command(),
        env_file=env_file,
        user=user or getpass.getuser(),
        stop_seconds=settings.drain_timeout_secs + 15,
        environment=environment,
        writable=[path for path in (settings.store_dir, settings.state_dir) if path],
    )
