"""uvicorn, started and stopped by us: it takes no signals and no decisions."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Generator
from typing import Any

import uvicorn

from busctl.adapters.uvicorn_protocols import BoundedWebSocket, patient
from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError

PING_SECS = 20.0
PONG_SECS = 120.0
"""A pong comes behind what is still on its way: a thin line needs its time for a whole frame."""
GRACE_SECS = 5
SPARE_CONNECTIONS = 64
"""For probes, and for whoever is to be told that there is no place."""
BACKLOG = 512
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with, not bound to


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class HttpServer:
    """Serves one ASGI app on the address of the settings: `bind`, `start`, `stop`, in order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listener: socket.socket | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.port = settings.port

    @property
    def url(self) -> str:
        """The base URL for HTTP clients on this machine."""
        scheme = "https" if self._settings.tls_cert else "http"
        host = _WILDCARDS.get(self._settings.host, self._settings.host)
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def bind(self) -> socket.socket:
        """Take the address. Raises ConfigurationError when it cannot be had."""
        host, port = self._settings.host, self._settings.port
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, _, _, _, address = found[0]
            listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
            # Accepted sockets inherit it; asyncio sets it only where the listener names TCP.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._give_up_on_the_stalled(listener)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise ConfigurationError(
                f"Port {port} on {host} is in use." if taken
                else f"Cannot listen on {host}, port {port}: {error.strerror or error}.",
                remedy="Set BUSCTL_PORT to another port (0 takes any free one), or stop the other "
                "daemon." if taken else "Set BUSCTL_HOST and BUSCTL_PORT.",
            ) from error  # fmt: skip
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._listener = listener
        return listener

    def _give_up_on_the_stalled(self, listener: socket.socket) -> None:
        """The kernel ends a connection whose client takes nothing of what waits for it, whichever
        protocol it is, and however full our own buffers are. It looks only at progress: a client
        that reads slowly is let alone."""
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; elsewhere the WebSocket's pings do
            milliseconds = round(self._settings.stall_timeout_secs * 1000)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    async def start(self, app: Any) -> None:
        """Accept connections; binds if need be. Raises ConfigurationError for a certificate that
        cannot be used."""
        listener = self._listener or self.bind()
        settings = self._settings
        most = settings.max_sessions + settings.max_redemptions + SPARE_CONNECTIONS
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, server_header=False,
            http=patient(settings.hello_timeout_secs, most),
            ws=BoundedWebSocket, ws_per_message_deflate=False,
            ws_max_size=self._settings.max_message_bytes, ws_ping_interval=PING_SECS,
            ws_ping_timeout=PONG_SECS, proxy_headers=False, timeout_graceful_shutdown=GRACE_SECS,
            ssl_certfile=self._settings.tls_cert, ssl_keyfile=self._settings.tls_key,
        )  # fmt: skip
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"BUSCTL_TLS_CERT and BUSCTL_TLS_KEY cannot be used: {error}."
            ) from error
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(0.005)

    def stop_accepting(self) -> None:
        """Refuse new connections; those open go on."""
        if self._server is not None and self._server.started:
            for listener in self._server.servers:
                listener.close()

    async def stop(self) -> None:
        """Close what is open still, and end."""
        if self._server is None or self._serving is None:
            if self._listener is not None:
                self._listener.close()
            return
        self._server.should_exit = True
        await self._serving
