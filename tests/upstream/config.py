"""Configurations that name the tests' own MCP server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def program(*options: str, **more: Any) -> dict[str, Any]:
    """The server as a program, with these options; `more` are keys of its entry."""
    env = {"PYTHONPATH": str(ROOT), **more.pop("env", {})}
    args = ["-m", "tests.upstream.server", *options]
    return {"command": sys.executable, "args": args, "env": env, **more}


def old(*options: str, **more: Any) -> dict[str, Any]:
    """The server of the era before."""
    env = {"PYTHONPATH": str(ROOT)}
    return {
        "command": sys.executable,
        "args": ["-S", "-m", "tests.upstream.old", *options],
        "env": env,
        **more,
    }


def write(folder: Path, **servers: Any) -> str:
    """Write the file; its path."""
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return str(path)
