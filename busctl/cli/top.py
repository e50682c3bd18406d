"""`busctl top`: what flows, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.core.operating.flow import Window

WINDOWS = ("15m", "1h", "24h", "7d")


def top(
    window: Annotated[
        str, typer.Option("--window", "-w", help=f"How far back: {', '.join(WINDOWS)}.")
    ] = WINDOWS[0],
    once: Annotated[bool, typer.Option("--once", help="Show it once and leave.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", "-i", min=0.5, help="Seconds between two looks.")
    ] = 2.0,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Show what flows over the bus, live: rates, sizes, times, breakers, spools, alerts.

    The dashboard's page Now, asked of the store directly. Shown once with --once, and where stdout
    is no terminal; with --json again and again unless --once. Ctrl-C leaves. Daemons keep the
    figures; where none runs, those of the last hour are counted here.

    --json prints one object a look: at, window, messages, errors, payload_bytes, stored_bytes,
    deliveries, fell_back, reconciled, sizes (messages up to 1 KB, 10 KB, 100 KB, 1 MB, 10 MB,
    over), rates (the same a second, of the last minute or two, and p95_ms), steps and tools (the
    columns of bus.flow and bus.tool_flow), daemons, alerts, recent (envelopes) and load:
    database_bytes, pending, looked_at, oldest_secs, cleanup_secs, quota_bytes, followers (seconds
    behind, by name).

    \b
    Examples:
      busctl top
      busctl top --window 24h --once
      busctl top --json --once | jq .messages
    """
    import sys

    from busctl.cli.running import run, settings_for
    from busctl.cli.top_run import follow

    settings = settings_for(env_file, sets)
    live = not once and (as_json or sys.stdout.isatty())
    run(follow(settings, _window(window), interval if live else None, as_json=as_json))


def _window(text: str) -> Window:
    from busctl.core.errors import ConfigurationError
    from busctl.core.operating.flow import Window

    if text not in set(Window):
        raise ConfigurationError(
            f"{text[:40]!a} is no window.", remedy=f"Known are {', '.join(WINDOWS)}."
        )
    return Window(text)
