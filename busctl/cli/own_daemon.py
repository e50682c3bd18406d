"""A daemon of a command's own on the configured store: test-integrity and bench look through it."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from busctl.adapters.daemon_process import running_daemon
from busctl.core.configuration import field as settings_field
from busctl.core.configuration.settings import Settings, canonical_name, is_path

NOT_ITS_OWN = frozenset({
    "host", "port", "token", "tls_cert", "tls_key", "allow_remote", "allowed_hosts",
    "allowed_origins", "state_dir", "tools", "log_format", "kimi_api_key", "glm_api_key",
    "zai_api_key", "providers",
})  # fmt: skip
"""Settings of the configured daemon that a command's own daemon does without."""
UPKEEP_SECS = "604800"


@asynccontextmanager
async def own_daemon(
    settings: Settings, chosen: Mapping[str, str], *arguments: str
) -> AsyncIterator[tuple[str, str]]:
    """Address (http) and token of a daemon that runs for the time of the block.

    It has the same store and rules, a token of its own, and keeps answers for an hour. It does not
    fall back: what is looked at is the way through the store. `chosen` are settings by their
    canonical names, over those. Raises DaemonUnreachable.
    """
    token = secrets.token_urlsafe(32)
    own = {
        "BUSCTL_TOKEN": token,
        "MESSAGE_BUS_TTL_HOURS": "1",
        "MESSAGE_BUS_CLEANUP_INTERVAL_SECS": UPKEEP_SECS,
        "MESSAGE_BUS_FALLBACK_TO_WEBSOCKET": "false",
    }
    with tempfile.TemporaryDirectory(prefix="busctl-daemon-") as name:
        environment = {**_inherited(settings), **own, **chosen}
        async with running_daemon(Path(name), environment, *arguments) as daemon:
            yield daemon.url, token


def _inherited(settings: Settings) -> dict[str, str]:
    return {
        canonical_name(field): _written(settings, field)
        for field in settings.model_fields_set - NOT_ITS_OWN
        if getattr(settings, field) is not None
    }


def _written(settings: Settings, field: str) -> str:
    value = getattr(settings, field)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value.resolve()) if is_path(field) else settings_field.plain(value)
