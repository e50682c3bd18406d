"""`busctl dashboard`: where the dashboard is, or the dashboard itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings


def dashboard(
    browser: Annotated[
        bool, typer.Option("--open", help="Open it in this machine's browser.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it from here, without a daemon.")
    ] = False,
    host: Annotated[
        str | None, typer.Option("--host", help="With --serve: address (BUSCTL_HOST).")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", help="With --serve: port, 0 for any free one (BUSCTL_PORT)."),
    ] = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Print the address of the daemon's dashboard, and where its token is.

    Exit 3 when no daemon answers there: `busctl serve` starts one.

    With --serve the pages are served from here until Ctrl-C or SIGTERM, of whatever store
    DATABASE_URL names: no daemon is needed and no tool can be called. Beside a daemon on the same
    machine it takes a port of its own (--port). Tokens with the scope read log in, as to the
    daemon's: they see the messages of their principal.

    --json prints url and token_from; with --serve pid too, as soon as it serves.

    \b
    Examples:
      busctl dashboard
      busctl dashboard --open
      DATABASE_URL=postgresql://… busctl dashboard --serve --port 8766
    """
    from busctl.cli.running import run, settings_for
    from busctl.core.errors import ConfigurationError

    settings = settings_for(env_file, sets, host=host, port=port)
    if not serve:
        if host is not None or port is not None:
            raise ConfigurationError("--host and --port are for --serve.")
        _tell(settings, browser=browser, as_json=as_json)
        return
    from busctl.cli.dashboard_run import serve_until_told

    run(serve_until_told(settings, browser=browser, as_json=as_json))


def _tell(settings: Settings, *, browser: bool, as_json: bool) -> None:
    import webbrowser

    from busctl.adapters import tokenfile
    from busctl.cli.running import emit_json, run, say
    from busctl.core.configuration.address import url_of

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
        raise DaemonUnreachable(
            nobody, remedy="`busctl serve` starts one; --serve shows the store without one."
        )
