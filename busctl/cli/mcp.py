"""`busctl mcp`: the gateway over standard input and output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from busctl.cli import options


def mcp(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="A server to start, with its arguments."),
    ] = None,
    tools: Annotated[
        list[str] | None,
        typer.Option(
            "--tools",
            metavar="MODULE:ATTRIBUTE",
            help="Offer these Python callables as tools (repeatable); the working directory is "
            "searched too.",
        ),
    ] = None,
    mcp_config: Annotated[
        Path | None,
        typer.Option(
            "--mcp-config",
            metavar="FILE",
            help="Offer the tools of the MCP servers that FILE names under mcpServers, too "
            "(BUSCTL_MCP_CONFIG).",
        ),
    ] = None,
    log_format: Annotated[
        str | None, typer.Option("--log-format", help="auto, json or text (BUSCTL_LOG_FORMAT).")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log-level", help="debug, info, warning … (BUSCTL_LOG_LEVEL).")
    ] = None,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Serve tools to the MCP client that has started this, and keep their answers.

    Put `busctl mcp --` in front of the command of any server entry. Its answers are stored before
    they are told; a large one is told as a preview with a link, and tools to read on. --mcp-config
    takes several servers, --tools your Python callables. Without DATABASE_URL an embedded
    PostgreSQL is started. Ends with its client. Standard output carries the protocol alone, logs
    go to stderr.

    \b
    Examples:
      busctl mcp -- npx -y @modelcontextprotocol/server-everything
      busctl mcp --mcp-config servers.json
      busctl mcp --tools mytools:tools
      claude mcp add files -- busctl mcp -- npx -y @modelcontextprotocol/server-filesystem ~/notes
    """
    from busctl.cli.mcp_run import serve_client
    from busctl.cli.running import run, settings_for

    settings = settings_for(
        env_file, sets, tools=",".join(tools) if tools else None, mcp_config=mcp_config,
        log_format=log_format, log_level=log_level,
    )  # fmt: skip
    run(serve_client(settings, command or []))
