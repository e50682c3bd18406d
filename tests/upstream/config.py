"""Configurations that name the tests' own MCP server."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def program(*options: str, **more: Any) -> dict[str, Any]:
    """The server as a program, with these options; `more` are keys of its entry."""
    env = {"PYTHONPATH": str(ROOT), **more.pop("env", {})}
    args = ["-m", "tests.upstream.server", *options]
    return {"command": sys.executable, "args": args, "env": env, **more}


@contextmanager
def behind_http() -> Iterator[str]:
    """The server in a process of its own, behind streamable HTTP: its URL, which may not answer
    yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.upstream.server", "--http", str(port)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


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
