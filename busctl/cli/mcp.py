"""`busctl mcp`: the gateway over standard input and output."""

from __future__ import annotations

from typing import Annotated

import typer

from busctl.cli import options
from busctl.core.errors import ConfigurationError


def mcp(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="A server to start, with its arguments."),
    ] = None,
    tools: options.Tools = None,
    mcp_config: options.McpConfig = None,
    daemon: Annotated[
        bool,
        typer.Option(
            "--daemon", help="Lead the client to the running daemon, which offers what it has."
        ),
    ] = False,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="With --daemon: its address, http://host:port."),
    ] = None,
    log_format: options.LogFormat = None,
    log_level: options.LogLevel = None,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Serve tools to the MCP client that has started this, and keep their answers.

    Put `busctl mcp --` in front of the command of any server entry. Its answers are stored before
    they are told; a large one is told as a preview with a link, and tools to read on. --mcp-config
    takes several servers, --tools your Python callables. Without DATABASE_URL an embedded
    PostgreSQL is started. Ends with its client. Standard output carries the protocol alone, logs
    go to stderr.

    With --daemon it keeps nothing itself: the daemon at BUSCTL_HOST and BUSCTL_PORT answers, to the
    token BUSCTL_TOKEN or of its token file. That is for clients that can only start a command.

    \b
    Examples:
      busctl mcp -- npx -y @modelcontextprotocol/server-everything
      busctl mcp --mcp-config servers.json
      busctl mcp --daemon
      busctl mcp --tools mytools:tools
      claude mcp add files -- busctl mcp -- npx -y @modelcontextprotocol/server-filesystem ~/notes
    """
    from busctl.cli.mcp_run import relay_client, serve_client
    from busctl.cli.running import run, settings_for

    settings = settings_for(
        env_file, sets, tools=",".join(tools) if tools else None, mcp_config=mcp_config,
        log_format=log_format, log_level=log_level,
    )  # fmt: skip
    if not (daemon or url):
        run(serve_client(settings, command or []))
        return
    if command or tools or mcp_config:
        raise ConfigurationError(
            "--daemon offers what the daemon has.",
            remedy="Leave COMMAND, --tools and --mcp-config out, or give them to `busctl serve`.",
        )
    run(relay_client(settings, url))
