"""`busctl alert`: try the sinks, see what is raised, see what was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from busctl.core.configuration.settings import Settings
    from busctl.core.operating.alert import Alert, Notice
    from busctl.ports import AlertBook

    Result = TypeVar("Result")

app = typer.Typer(help="Try the sinks of alerts, and see alerts: test, list, history.",
                  no_args_is_help=True)  # fmt: skip


@app.command("test")
def try_(
    as_json: options.Json = False, env_file: options.EnvFile = None, sets: options.Set = None
) -> None:
    """Send a test alert to every sink that is configured.

    Sinks: BUSCTL_ALERT_WEBHOOK_URL (JSON by POST, signed with BUSCTL_ALERT_WEBHOOK_SECRET),
    BUSCTL_ALERT_COMMAND (JSON on its standard input) and BUSCTL_ALERT_APPRISE_URLS (needs
    busctl[alerts]). Exit 0 if every sink took it, 1 if one did not, 2 if there is none. --json
    prints {ok, sinks: [{sink, ok, error}]}.

    \b
    Examples:
      busctl alert test
      busctl alert test -s BUSCTL_ALERT_COMMAND="tee -a alerts.jsonl"
    """
    from busctl.cli.alert_run import alerting_of
    from busctl.cli.running import emit_json, run, settings_for
    from busctl.core.errors import ConfigurationError

    alerting = alerting_of(settings_for(env_file, sets), {}, seen_by="busctl alert test")
    tried = run(alerting.attempt(alerting.test_notice()))
    if not tried.outcomes:
        raise ConfigurationError(
            "No sink is configured.",
            remedy="Set BUSCTL_ALERT_WEBHOOK_URL, BUSCTL_ALERT_COMMAND or "
            "BUSCTL_ALERT_APPRISE_URLS.",
        )
    if as_json:
        emit_json({"ok": tried.done, "sinks": [
            {"sink": sink, "ok": said is None, "error": said}
            for sink, said in tried.outcomes.items()
        ]})  # fmt: skip
    else:
        for sink, said in tried.outcomes.items():
            print(f"{sink}: {said or 'delivered'}")
    if not tried.done:
        raise typer.Exit(1)


@app.command("list")
def list_(
    everything: Annotated[
        bool, typer.Option("--all", help="Those too that are only watched yet.")
    ] = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """List the alerts that are raised.

    They are kept in the store, and in this machine's state folder while that is away. --json
    prints {alerts: [{kind, subject, host, grade, message, remedy, raised_at, since, seen_at, bad,
    good, good_since}]}; raised_at is null for one that is watched.

    \b
    Examples:
      busctl alert list
      busctl alert list --all --json
    """
    from busctl.cli.rendering import printable, show_time
    from busctl.cli.running import emit_json, run, say, settings_for
    from busctl.core.operating.alert_json import alert_shape

    async def ask(book: AlertBook) -> Sequence[Alert]:
        return await book.alerts()

    found = run(_from_both(settings_for(env_file, sets), ask))
    shown = [one for one in found if everything or one.raised_at is not None]
    if as_json:
        emit_json({"alerts": [alert_shape(one) for one in shown]})
        return
    for one in shown:
        state = "watched" if one.raised_at is None else f"since {show_time(one.since)}"
        host = f" ({one.key.host})" if one.key.host else ""
        line = f"{one.grade.name:8}  {one.key.kind}  {one.key.subject}{host}: {one.message}"
        print(printable(f"{line} {state}"))
    if not shown:
        say("No alert is raised." if not everything else "No alert is raised, and none is watched.")


@app.command()
def history(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 50,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Show what was raised, worsened and cleared, and whether it was delivered.

    --json prints {notices: [{version, id, at, change, kind, subject, host, grade, message, remedy,
    since, seen_by, done, attempts, outcomes}]}; outcomes has for each sink null when it took the
    notice, else why not.

    \b
    Examples:
      busctl alert history
      busctl alert history --limit 5 --json
    """
    from busctl.cli.rendering import printable, show_time
    from busctl.cli.running import emit_json, run, say, settings_for
    from busctl.core.operating.alert_json import notice_shape

    async def ask(book: AlertBook) -> Sequence[Notice]:
        return await book.notices(limit)

    found = run(_from_both(settings_for(env_file, sets), ask))
    found = sorted(found, key=lambda one: one.at, reverse=True)[:limit]
    if as_json:
        emit_json({"notices": [notice_shape(one) for one in found]})
        return
    for one in found:
        state = "" if one.done else f" (not delivered: {_why(one)})"
        line = f"{show_time(one.at)}  {one.change.value:8}  {one.grade.name:8}  {one.key.kind}"
        print(printable(f"{line}  {one.key.subject}: {one.message}{state}"))
    if not found:
        say("No alert was ever told.")


def _why(notice: Notice) -> str:
    return "; ".join(f"{sink}: {said}" for sink, said in notice.outcomes.items() if said) or "yet"


async def _from_both(
    settings: Settings, ask: Callable[[AlertBook], Awaitable[Sequence[Result]]]
) -> list[Result]:
    """What the store and this machine's file hold; the file alone while the store is away."""
    from busctl.cli.alert_run import book_of, file_of
    from busctl.cli.running import say
    from busctl.connect import open_store
    from busctl.core.errors import StoreUnreachable

    here = list(await ask(file_of(settings)))
    try:
        async with open_store(settings) as store:
            return [*await ask(book_of(settings, store)), *here]
    except StoreUnreachable as error:
        if not here:
            raise
        say(f"warning: only this machine's own alerts: {error.message}")
        return here
