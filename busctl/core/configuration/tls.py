"""What a connection string must be told besides, so that only the right server is spoken to.

libpq's own default, sslmode=prefer, verifies nobody and falls back to clear text without a word.
Here a server that is not on this machine proves its name (verify-full) unless the connection string
says something else. See https://www.postgresql.org/docs/current/libpq-ssl.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from busctl.core.errors import ConfigurationError

STRICT = "verify-full"
SAID = ("disable", "require", "verify-ca", STRICT)
"""Modes that mean what they say. `allow` and `prefer` leave it to the server, which may be
anyone's: they count as not said."""
VERIFYING = ("verify-ca", STRICT)
SUPABASE = (".supabase.co", ".pooler.supabase.com")


@dataclass(frozen=True, slots=True)
class Roots:
    """Files with certificates of authorities: `chosen` by BUSCTL_SSLROOTCERT, `shipped` with busctl
    for Supabase, `system` of the machine. libpq finds others itself: `named` by PGSSLROOTCERT, the
    user's `own` (~/.postgresql/root.crt)."""

    chosen: str | None
    shipped: str
    system: str | None
    named: bool = False
    own: bool = False


def demanded(
    said: Mapping[str, str], roots: Roots, *, unknown_host: bool = False
) -> dict[str, str]:
    """The parameters to add to a connection string that says `said` (libpq's keywords; host and
    hostaddr also from where libpq takes them otherwise). `unknown_host`: a service file names it.

    Raises ConfigurationError where TLS is switched off beside a certificate to verify with.
    """
    mode = said.get("sslmode", "")
    hosts = list(_hosts(said))
    if mode == "disable":
        _refuse_roots(roots)
        return {}
    if not unknown_host and all(_is_socket(*each) for each in hosts):
        return {}  # no TLS there: the kernel says who speaks
    away = unknown_host or not all(_is_near(*each) for each in hosts)
    wanted = {} if mode in SAID else {"sslmode": STRICT}
    if not (away or mode in SAID or roots.chosen or said.get("sslrootcert")):
        return {}
    verifies = wanted.get("sslmode", mode) in VERIFYING
    root = _root(said, roots, hosts, verifies=verifies and not unknown_host)
    return wanted | ({"sslrootcert": root} if root else {})


def unverified(said: Mapping[str, str]) -> str:
    """What a connection with these parameters leaves open, as a sentence; "" if nothing."""
    if all(_is_near(*each) for each in _hosts(said)):
        return ""
    match said.get("sslmode", ""):
        case "verify-full":
            return ""
        case "verify-ca":
            return "sslmode=verify-ca: any server with a certificate of that authority is believed."
        case "require":
            return "sslmode=require: the connection is encrypted, but to nobody knows whom."
        case _:
            return "Without TLS, whoever sits on the line reads the password and every payload."


def _refuse_roots(roots: Roots) -> None:
    if roots.chosen is not None:
        raise ConfigurationError(
            "DATABASE_URL says sslmode=disable and BUSCTL_SSLROOTCERT is set.",
            remedy="Take one of them out.",
        )


def _root(
    said: Mapping[str, str], roots: Roots, hosts: list[tuple[str, str]], *, verifies: bool
) -> str | None:
    """The file to name, None where libpq has what it needs."""
    if named := said.get("sslrootcert"):
        # libpq's "system" is a folder of the machine that psycopg's wheel was built on.
        return roots.system if named == "system" and verifies else None
    if roots.chosen is not None:
        return roots.chosen
    if not verifies or roots.named:
        return None
    if all(is_supabase(host) for host, _ in hosts):
        return roots.shipped
    return None if roots.own else roots.system


def is_supabase(host: str) -> bool:
    """Whether a host is served with a certificate of Supabase's own authority."""
    return host.lower().endswith(SUPABASE)


def _hosts(said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each (host, hostaddr) of the list, "" for what is not given."""
    names, addresses = said.get("host", "").split(","), said.get("hostaddr", "").split(",")
    for number in range(max(len(names), len(addresses))):
        name = names[number] if number < len(names) else ""
        yield name.strip(), addresses[number].strip() if number < len(addresses) else ""


def _is_socket(host: str, address: str) -> bool:
    return not address and (not host or host[0] in "/@")


def _is_near(host: str, address: str) -> bool:
    """On this machine by what is given of both: a proxy on loopback leads to a server elsewhere."""
    if _is_socket(host, address):
        return True
    return all(_is_loopback(each) for each in (host, address) if each)


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # another name: whatever DNS makes of it, it is not sure to be near
        return False
