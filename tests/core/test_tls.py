"""How a line to the store is secured, as one table: never weaker than what was said."""

from __future__ import annotations

import pytest

from busctl.core.configuration.tls import Roots, demanded, unverified
from busctl.core.errors import ConfigurationError

AWAY = {"host": "db.example.org"}
SUPABASE = {"host": "db.abcdefghijklmnopqrst.supabase.co"}
POOLER = {"host": "AWS-0-eu-central-1.pooler.supabase.com", "port": "6543"}
FULL = {"sslmode": "verify-full"}
SYSTEM = {"sslrootcert": "/system"}
SHIPPED = {"sslrootcert": "/shipped"}
CHOSEN = {"sslrootcert": "/chosen"}


def roots(chosen: str | None = None, **more: bool) -> Roots:
    return Roots(chosen=chosen, shipped="/shipped", system="/system", **more)


@pytest.mark.parametrize(
    ("said", "added"),
    [
        ({}, {}),
        ({"host": "/var/run/postgresql"}, {}),
        ({"host": "/var/run/postgresql", "sslmode": "verify-full"}, {}),
        ({"host": "localhost"}, {}),
        ({"host": "127.8.8.8"}, {}),
        ({"host": "::1"}, {}),
        ({"hostaddr": "127.0.0.1"}, {}),
        ({"host": "localhost", "sslrootcert": "/mine"}, FULL),
        ({"host": "localhost", "sslmode": "verify-full"}, SYSTEM),
        (AWAY, FULL | SYSTEM),
        (AWAY | {"sslmode": "prefer"}, FULL | SYSTEM),
        (AWAY | {"sslmode": "allow"}, FULL | SYSTEM),
        (AWAY | {"sslmode": ""}, FULL | SYSTEM),
        (AWAY | {"sslmode": "disable"}, {}),
        (AWAY | {"sslmode": "require"}, {}),
        (AWAY | {"sslmode": "verify-ca"}, SYSTEM),
        (AWAY | {"sslrootcert": "/mine"}, FULL),
        (AWAY | {"sslrootcert": "system"}, FULL | SYSTEM),
        (AWAY | {"sslrootcert": "system", "sslmode": "require"}, {}),  # libpq refuses it by name
        (SUPABASE, FULL | SHIPPED),
        (POOLER, FULL | SHIPPED),
        (SUPABASE | {"sslmode": "require"}, {}),
        (SUPABASE | {"sslrootcert": "/mine"}, FULL),
        ({"host": "supabase.co.example.org"}, FULL | SYSTEM),
        ({"host": "evilsupabase.co"}, FULL | SYSTEM),
        # a proxy on this machine, a name that is led elsewhere, a list with one that is away
        (SUPABASE | {"hostaddr": "127.0.0.1"}, FULL | SHIPPED),
        ({"host": "localhost", "hostaddr": "10.0.0.7"}, FULL | SYSTEM),
        ({"host": "localhost,db.example.org"}, FULL | SYSTEM),
        ({"host": "localhost", "hostaddr": "127.0.0.1,10.0.0.7"}, FULL | SYSTEM),
        ({"host": f"{SUPABASE['host']},{POOLER['host']}"}, FULL | SHIPPED),
        ({"host": f"{SUPABASE['host']},db.example.org"}, FULL | SYSTEM),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_added(said: dict[str, str], added: dict[str, str]) -> None:
    assert demanded(said, roots()) == added


@pytest.mark.parametrize(
    ("said", "added"),
    [
        ({"host": "/var/run/postgresql"}, {}),
        ({"host": "localhost"}, FULL | CHOSEN),
        (AWAY, FULL | CHOSEN),
        (SUPABASE, FULL | CHOSEN),
        (AWAY | {"sslmode": "require"}, CHOSEN),  # which libpq takes for verify-ca
        (AWAY | {"sslrootcert": "/mine"}, FULL),
    ],
    ids=str,
)
def test_a_chosen_root_verifies_wherever_there_is_tls(
    said: dict[str, str], added: dict[str, str]
) -> None:
    assert demanded(said, roots("/chosen")) == added


def test_roots_that_libpq_finds_itself() -> None:
    assert demanded(AWAY, roots(own=True)) == FULL
    assert demanded(SUPABASE, roots(own=True)) == FULL | SHIPPED
    assert demanded(SUPABASE, roots(named=True)) == FULL
    assert demanded(AWAY, Roots(None, "/shipped", None)) == FULL  # libpq says what is missing


def test_a_host_that_a_service_file_names_may_be_anywhere() -> None:
    assert demanded({"service": "bus"}, roots(), unknown_host=True) == FULL
    assert demanded({"service": "bus"}, roots("/chosen"), unknown_host=True) == FULL | CHOSEN


def test_switched_off_and_a_root_contradict() -> None:
    with pytest.raises(ConfigurationError, match="BUSCTL_SSLROOTCERT"):
        demanded(AWAY | {"sslmode": "disable"}, roots("/chosen"))


@pytest.mark.parametrize(
    ("said", "left_open"),
    [
        ({"host": "/run"}, ""), ({"host": "localhost", "sslmode": "disable"}, ""),
        (AWAY | FULL, ""), (AWAY | {"sslmode": "verify-ca"}, "verify-ca"),
        (AWAY | {"sslmode": "require"}, "require"), (AWAY | {"sslmode": "disable"}, "Without TLS"),
    ],
)  # fmt: skip
def test_what_is_left_open_is_told(said: dict[str, str], left_open: str) -> None:
    told = unverified(said)
    assert left_open in told and bool(told) == bool(left_open)
