"""The connection string with TLS that proves the server: `core.configuration.tls` on files."""

from __future__ import annotations

import ssl
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from busctl.adapters.postgres.errors import not_connected
from busctl.core.configuration import tls
from busctl.core.errors import ConfigurationError

SUPABASE_ROOTS = Path(__file__).parent / "certificates" / "supabase-roots.crt"
# Debian, Fedora, SUSE, Alpine and macOS: https://go.dev/src/crypto/x509/root_linux.go
SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
)  # fmt: skip
_ELSEWHERE = ("host", "hostaddr")


def secured(dsn: str, chosen: Path | None = None) -> str:
    """`dsn` with what `core.configuration.tls.demanded` adds; `chosen` is BUSCTL_SSLROOTCERT.

    Raises ConfigurationError (libpq cannot read `dsn`, the file cannot be read).
    """
    if chosen is not None:
        _require_readable(chosen)
    try:
        said = parameters(dsn)
        given = _environment()
        own = {name: given[name] for name in _ELSEWHERE if name in given}
        unknown = "service" in said and not {"host", "hostaddr"} & said.keys()
        added = tls.demanded(own | said, _roots(chosen, given), unknown_host=unknown)
    except psycopg.ProgrammingError as error:
        raise not_connected(error) from error
    return make_conninfo(dsn, **added)


def unverified(dsn: str) -> str:
    """What a connection by this string leaves open, as a sentence; "" if nothing."""
    return tls.unverified(parameters(dsn))


def parameters(dsn: str) -> dict[str, str]:
    """What a connection string says, by libpq's keywords. Raises psycopg.ProgrammingError."""
    return {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}


def _environment() -> dict[str, str]:
    """What libpq takes from the PG* variables and their service file where a string is silent."""
    return {
        option.keyword.decode(): option.val.decode()
        for option in psycopg.pq.Conninfo.get_defaults()
        if option.val
    }


def _roots(chosen: Path | None, given: dict[str, str]) -> tls.Roots:
    own = Path.home() / ".postgresql" / "root.crt"
    return tls.Roots(
        chosen=None if chosen is None else str(chosen),
        shipped=str(SUPABASE_ROOTS),
        system=_system_roots(),
        named="sslrootcert" in given,
        own=own.exists(),
    )


def _system_roots() -> str | None:
    found = (ssl.get_default_verify_paths().cafile, *SYSTEM_ROOTS)
    return next((path for path in found if path and Path(path).is_file()), None)


def _require_readable(path: Path) -> None:
    """libpq ignores a file that is not there wherever it need not verify."""
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise ConfigurationError(
            f"BUSCTL_SSLROOTCERT cannot be read: {path}: {error.strerror}.",
            remedy="Name a PEM file with the certificate of the server's authority.",
        ) from error
