"""A connection string's server, and the same string led through a proxy."""

from __future__ import annotations

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from busctl.adapters.latency_proxy import Address
from busctl.core.errors import ConfigurationError

DEFAULT_PORT = 5432
DEFAULT_SOCKETS = "/var/run/postgresql"


def address_of(dsn: str) -> Address:
    """Where the server of `dsn` listens. Raises ConfigurationError for a list of servers."""
    parts = conninfo_to_dict(dsn)
    host = str(parts.get("hostaddr") or parts.get("host") or DEFAULT_SOCKETS)
    port = str(parts.get("port") or DEFAULT_PORT)
    if "," in host or "," in port:
        raise ConfigurationError(
            "The proxy takes one server, and the connection string names several.",
            remedy="Name one of them in DATABASE_URL for the benchmark.",
        )
    return Address(host, int(port))


def through(dsn: str, proxy: Address) -> str:
    """`dsn` by way of the proxy. The host's name stays, so that its certificate still fits."""
    if proxy.unix_path is not None:
        return make_conninfo(dsn, host=proxy.host, port=proxy.port)
    return make_conninfo(dsn, hostaddr=proxy.host, port=proxy.port)
