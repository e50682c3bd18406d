"""`busctl check`: graded looks at this deployment, for people, cron and monitoring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings
    from busctl.core.operating.health import Health, Kind
    from busctl.ops.check import Check

FORMATS = ("text", "json", "nagios", "prometheus")


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CHECK]...", help="Checks to make; all without any."),
    ] = None,
    warn: Annotated[
        list[str] | None,
        typer.Option("--warn", metavar="NAME=VALUE", help="Another warning threshold."),
    ] = None,
    critical: Annotated[
        list[str] | None,
        typer.Option("--critical", metavar="NAME=VALUE", help="Another critical threshold."),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="FORM", help="text, json, nagios or prometheus.")
    ] = "text",
    show_list: Annotated[
        bool, typer.Option("--list", help="List checks, findings and thresholds; look at nothing.")
    ] = False,
    alert: Annotated[
        bool, typer.Option("--alert", help="Raise and clear alerts by what is found.")
    ] = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Look at this deployment and grade it: OK, WARNING, CRITICAL or UNKNOWN, with what to do.

    Checks: connection schema partitions breaker spool expiry backlog quota integrity latency
    clock cron alerts upstreams. `integrity` puts and gets 1 KB and 1 MB through every path that
    exists here (the store; the WebSocket, claims and HTTP where a daemon answers) and removes them
    again; they have the tool name or session busctl.canary. All others only read.

    NAME of a threshold is as --list prints it, such as expiry.overdue_hours. A check that cannot
    look is UNKNOWN, never OK. docs/runbook.md has every finding with its remedy.

    --alert raises an alert for what is found again and again, and clears it when it stays away
    (BUSCTL_ALERT_RAISE_LOOKS, BUSCTL_ALERT_CLEAR_LOOKS …); each is told once to every sink, whoever
    looks: this command in cron, or the daemon. `busctl alert` shows them. One that could not be
    delivered is a finding.

    Exit 0 if all is well, 1 if something is wrong, 2 for a wrong command line or configuration, 3
    if the store could not be asked, or nothing is wrong but a check could not look. With --format
    nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, and performance data.

    --json prints: ok, grade, exit_code, checked, connect_ms, seconds, checks (check, grade,
    summary, seconds, measures (kind, subject, value, unit, warn, critical)), findings (check,
    kind, subject, grade, message, remedy). With --list: checks (check, about, findings (kind,
    remedy, measured, unit, warn, critical)).

    \b
    Examples:
      busctl check
      busctl check connection schema --quiet
      busctl check expiry --warn expiry.overdue_hours=2 --critical expiry.overdue_hours=12
      busctl check --quiet --alert
      busctl check --format nagios
      busctl check --format prometheus > /var/lib/node_exporter/busctl.prom
    """
    from busctl.cli.running import run
    from busctl.core.errors import BusctlError, ConfigurationError

    if form not in FORMATS:
        raise ConfigurationError(f"--format {form!r} is not one of {', '.join(FORMATS)}.")
    form = "json" if as_json else form
    try:
        settings, checks, kinds = _chosen(names or [], warn or [], critical or [], env_file, sets)
        if show_list:
            _list(checks, kinds, form)
            return
        health = run(_look(settings, checks, kinds, alert))
    except BusctlError as error:
        if form != "nagios":
            raise
        from busctl.cli.check_formats import nagios_failure

        print(nagios_failure(str(error)))
        raise typer.Exit(3) from error
    _show(health, form, quiet=quiet)
    raise typer.Exit(int(health.grade) if form == "nagios" else health.exit_code)


def _chosen(
    names: list[str], warn: list[str], critical: list[str], env_file: options.EnvFile,
    sets: options.Set,
) -> tuple[Settings, list[Check], dict[str, Kind]]:  # fmt: skip
    from busctl.cli.running import settings_for
    from busctl.core.operating.health import with_thresholds
    from busctl.ops.check.registry import chosen, configured, kinds_of

    settings = settings_for(env_file, sets)
    checks = chosen(names)
    kinds = configured(kinds_of(checks), settings)
    return settings, checks, with_thresholds(
        kinds, _pairs(warn, "--warn"), _pairs(critical, "--critical")
    )  # fmt: skip


def _pairs(texts: list[str], option: str) -> dict[str, float]:
    from busctl.core.errors import ConfigurationError

    found = {}
    for text in texts:
        name, mark, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not mark or number != number:
            raise ConfigurationError(
                f"{option} {text!r} is not NAME=VALUE with a number.",
                remedy="Write it like expiry.overdue_hours=2.",
            )
        found[name.strip()] = number
    return found


async def _look(
    settings: Settings, checks: list[Check], kinds: dict[str, Kind], alert: bool
) -> Health:
    from busctl.cli.check_run import alerted, surroundings
    from busctl.cli.rendering import printable
    from busctl.cli.running import say
    from busctl.ops.check import check as op

    async with surroundings(settings) as (around, store):
        if not alert:
            return await op(checks, around, kinds)
        health, notices = await alerted(settings, checks, around, kinds, store)
    for one in notices:
        say(printable(f"alert {one.change.value}: {one.key.kind} {one.key.subject}: {one.message}"))
    return health


def _show(health: Health, form: str, *, quiet: bool) -> None:
    from busctl.cli import check_formats as formats
    from busctl.cli.running import emit_json

    if form == "json":
        emit_json(formats.shape(health))
        return
    for line in _lines(health, form, quiet=quiet):
        print(line)


def _lines(health: Health, form: str, *, quiet: bool) -> Iterator[str]:
    from busctl.adapters.clock import SystemClock
    from busctl.cli import check_formats as formats

    if form == "nagios":
        return formats.nagios(health)
    if form == "prometheus":
        return formats.prometheus(health, SystemClock().unix_ms() / 1000)
    return formats.text(health, quiet=quiet)


def _list(checks: list[Check], kinds: dict[str, Kind], form: str) -> None:
    from busctl.cli import check_formats as formats
    from busctl.cli.running import emit_json

    if form == "json":
        emit_json({"checks": [formats.check_shape(one.name, one.about, kinds) for one in checks]})
        return
    for line in formats.listing({one.name: one.about for one in checks}, kinds):
        print(line)
