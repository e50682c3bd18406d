"""Options that many commands share, so that they read and behave alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON (documented, versioned) on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing when all is well.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, do nothing.")]
EnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", help="Read settings from this file instead of ./.env."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="NAME=VALUE",
        help="Set one setting for this run, over environment and file (repeatable).",
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE.html", help="Write a page with plots there, one file on its own."
    ),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Transaction id, as `busctl ls` prints it.")]
Tools = Annotated[
    list[str] | None,
    typer.Option(
        "--tools",
        metavar="MODULE:ATTRIBUTE",
        help="Offer these Python callables as tools (repeatable); the working directory is "
        "searched too.",
    ),
]
McpConfig = Annotated[
    Path | None,
    typer.Option(
        "--mcp-config",
        metavar="FILE",
        help="Offer the tools of the MCP servers that FILE names under mcpServers, too "
        "(BUSCTL_MCP_CONFIG).",
    ),
]
LogFormat = Annotated[
    str | None, typer.Option("--log-format", help="auto, json or text (BUSCTL_LOG_FORMAT).")
]
LogLevel = Annotated[
    str | None, typer.Option("--log-level", help="debug, info, warning … (BUSCTL_LOG_LEVEL).")
]
