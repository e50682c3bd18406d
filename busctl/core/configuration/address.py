"""Where the daemon of a configuration is."""

from __future__ import annotations

from busctl.core.configuration.settings import Settings


def url_of(settings: Settings) -> str:
    """The daemon's WebSocket address as a client of the same configuration calls it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # not bound here
    scheme = "ws" if settings.tls_cert is None else "wss"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}/"
