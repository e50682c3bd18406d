"""The file that names MCP servers, read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from busctl.core.mcp.upstream_config import UpstreamConfig, read_config

MOST_BYTES = 4_000_000


def read_upstreams(path: Path, environ: Mapping[str, str] | None = None) -> UpstreamConfig:
    """What the file names; every fault and warning begins with its path. ${VAR} is taken from
    `environ`, by default this process's environment."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        return UpstreamConfig(faults=[f"{path}: {error.strerror}"])
    if len(text) > MOST_BYTES:
        return UpstreamConfig(faults=[f"{path}: it has over {MOST_BYTES:,} bytes"])
    config = read_config(text, os.environ if environ is None else environ)
    config.faults = [f"{path}: {fault}" for fault in config.faults]
    config.warnings = [f"{path}: {warning}" for warning in config.warnings]
    return config
