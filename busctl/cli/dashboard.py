"""`busctl dashboard`: where the dashboard is."""

from __future__ import annotations

from typing import Annotated

import typer

from busctl.cli import options


def dashboard(
    browser: Annotated[
        bool, typer.Option("--open", help="Open it in this machine's browser.")
    ] = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Print the address of the daemon's dashboard, and where its token is.

    Exit 3 when no daemon answers there: `busctl serve` starts one. --json prints url and
    token_from.

    \b
    Examples:
      busctl dashboard
      busctl dashboard --open
    """
    import webbrowser

    from busctl.adapters import tokenfile
    from busctl.cli.running import emit_json, run, say, settings_for
    from busctl.core.address import url_of

    settings = settings_for(env_file, sets)
    url = url_of(settings).replace("ws", "http", 1)
    run(_answers(url))
    token = "BUSCTL_TOKEN" if settings.token else str(tokenfile.path_of(settings))
    if as_json:
        emit_json({"url": url, "token_from": token})
    else:
        print(url)
        say(f"Log in with the token in {token}.")
    if browser:
        webbrowser.open(url)


async def _answers(url: str) -> None:
    """Raises DaemonUnreachable."""
    from busctl.cli.check_run import absence
    from busctl.core.errors import DaemonUnreachable

    if nobody := await absence(url):
        raise DaemonUnreachable(nobody)
