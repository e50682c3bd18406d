"""`busctl serve`: the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from busctl.cli import options


def serve(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on (BUSCTL_HOST).")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port, 0 for any free one (BUSCTL_PORT).")
    ] = None,
    tools: options.Tools = None,
    mcp_config: options.McpConfig = None,
    ready_file: Annotated[
        Path | None,
        typer.Option("--ready-file", help="Write pid, host, port and url here when serving."),
    ] = None,
    health_file: Annotated[
        Path | None,
        typer.Option("--health-file", help="Rewrite the daemon's health here every 5 seconds."),
    ] = None,
    log_format: options.LogFormat = None,
    log_level: options.LogLevel = None,
    until_eof: Annotated[
        bool,
        typer.Option(
            "--until-eof",
            help="Stop, as on SIGTERM, when standard input ends: no daemon outlives whoever "
            "started it so.",
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print pid, host, port and url as JSON on stdout when serving."
        ),
    ] = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Serve tools over a WebSocket, and their answers over WebSocket and HTTP.

    Every answer is stored before it is told. Without DATABASE_URL an embedded PostgreSQL is
    started. SIGTERM, Ctrl-C or a closed terminal lets running calls finish
    (BUSCTL_DRAIN_TIMEOUT_SECS); a second signal ends at once. Logs go to stderr.

    \b
    Examples:
      busctl serve
      busctl serve --port 0 --ready-file /run/busctl/ready.json
      busctl serve --tools mytools:tools --log-format json
      busctl serve --mcp-config ~/.config/Claude/claude_desktop_config.json
    """
    from busctl.cli.running import run, settings_for
    from busctl.cli.serve_run import Files, serve_until_told
    from busctl.cli.targets import check_target

    for file in (ready_file, health_file):
        if file is not None:
            check_target(file)
    settings = settings_for(
        env_file, sets, host=host, port=port, tools=",".join(tools) if tools else None,
        mcp_config=mcp_config,
        log_format=log_format, log_level=log_level,
    )  # fmt: skip
    files = Files(ready_file, health_file, as_json)
    run(serve_until_told(settings, files, until_eof=until_eof))
