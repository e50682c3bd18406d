"""TLS to the store: the right server is believed, every other one refused by name."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from busctl.adapters.postgres.tls import SUPABASE_ROOTS, secured
from busctl.cli.check_run import surroundings
from busctl.connect import Bus, store_dsn
from busctl.core.configuration.settings import Settings
from busctl.core.errors import BusctlError, ConfigurationError, StoreUntrusted
from busctl.ops.check import CHECKS, check, kinds_of
from tests.conditions.commands import busctl
from tests.conditions.hosted import HOST, PASSWORD, Hosted

PRINTS = re.compile(r"`((?:[0-9A-F]{2}:){31}[0-9A-F]{2})`")
PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE-----")


def settings(dsn: str, root: Path | None = None) -> Settings:
    return Settings(database_url=dsn, sslrootcert=root)


@pytest.fixture(scope="module")
def migrated(hosted: Hosted) -> str:
    """A name of a database with the schema, made over a verified connection."""
    dsn = hosted.project("certificates")
    busctl(hosted, dsn, "migrate", "up")
    return "certificates"


async def test_the_right_authority_is_believed(hosted: Hosted, migrated: str) -> None:
    chosen = settings(hosted.dsn(database=migrated), hosted.authority.root)
    async with Bus.connect(chosen) as bus:
        claim = await bus.put(b"over TLS")
        assert await bus.get(claim.transaction_id) == b"over TLS"
    async with store_dsn(chosen) as (dsn, _):
        assert "sslmode=verify-full" in dsn


Spoil = Callable[[Hosted, str], Settings]
REFUSED: dict[str, tuple[Spoil, str, str]] = {
    "nothing said: Supabase's own root does not fit": (
        lambda server, name: settings(server.dsn(database=name)),
        "certificate verify failed", "BUSCTL_SSLROOTCERT",
    ),
    "another authority of the same name": (
        lambda server, name: settings(server.dsn(database=name), server.authority.stranger),
        "certificate verify failed", "BUSCTL_SSLROOTCERT",
    ),
    "another authority, sslmode=require": (
        lambda server, name: settings(
            server.dsn(database=name, sslmode="require"), server.authority.stranger),
        "certificate verify failed", "BUSCTL_SSLROOTCERT",
    ),
    "another name": (
        lambda server, name: settings(
            make_conninfo(server.dsn(database=name), host="db.example.org"), server.authority.root),
        "does not match host name", "host that the certificate names",
    ),
    "loopback, with a root chosen": (
        lambda server, name: settings(
            make_conninfo(server.dsn(database=name), host="localhost"), server.authority.root),
        "does not match host name", "host that the certificate names",
    ),
    "prefer says nothing": (
        lambda server, name: settings(server.dsn(database=name, sslmode="prefer")),
        "certificate verify failed", "BUSCTL_SSLROOTCERT",
    ),
    "a host that is not Supabase's": (
        lambda server, name: settings(
            make_conninfo(server.dsn(database=name), host="db.example.org")),
        "certificate verify failed", "BUSCTL_SSLROOTCERT",
    ),
    "no certificate in the file": (
        lambda server, name: settings(server.dsn(database=name), server.authority.key),
        "root certificate file", "PEM file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_another_server_is_refused_by_name(hosted: Hosted, migrated: str, name: str) -> None:
    spoil, said, remedy = REFUSED[name]
    with pytest.raises(StoreUntrusted) as caught:
        async with Bus.connect(spoil(hosted, migrated)):
            raise AssertionError("must not connect")
    assert said in caught.value.message and remedy in caught.value.remedy
    assert caught.value.exit_code == 3
    tells_no_secret(caught.value)


async def test_what_is_said_is_done(hosted: Hosted, migrated: str) -> None:
    """`require` encrypts without asking whom; it is told, not forbidden."""
    chosen = settings(hosted.dsn(database=migrated, sslmode="require"))
    async with Bus.connect(chosen) as bus:
        assert (await bus.put(b"x")).payload_size_bytes == 1
    assert await told_of_the_line(chosen) == {"connection.unverified"}
    verified = settings(hosted.dsn(database=migrated), hosted.authority.root)
    assert await told_of_the_line(verified) == set()


async def told_of_the_line(chosen: Settings) -> set[str]:
    wanted = [one for one in CHECKS if one.name == "connection"]
    async with surroundings(chosen) as (around, _):
        health = await check(wanted, around, kinds_of(wanted))
    return {one.kind for each in health.judgements for one in each.findings}


@pytest.mark.parametrize("host", [HOST, "localhost"])
async def test_a_server_without_tls_is_refused(hosted: Hosted, migrated: str, host: str) -> None:
    """Whether it is said to be away, or a root is chosen for one on loopback."""
    hosted.switch_tls("off")
    try:
        chosen = None if host == HOST else hosted.authority.root
        plain = make_conninfo(hosted.dsn(database=migrated), host=host)
        with pytest.raises(StoreUntrusted, match="does not support SSL") as caught:
            async with Bus.connect(settings(plain, chosen)):
                raise AssertionError("must not connect")
        assert "sslmode=disable" in caught.value.remedy
        disabled = settings(hosted.dsn(database=migrated, sslmode="disable"))
        async with Bus.connect(disabled) as bus:
            assert (await bus.put(b"x")).payload_size_bytes == 1
        assert await told_of_the_line(disabled) == {"connection.plain"}
    finally:
        hosted.switch_tls("on")


async def test_wrong_files_and_contradictions_are_configuration(
    hosted: Hosted, tmp_path: Path
) -> None:
    for chosen in (
        settings(hosted.dsn(), tmp_path / "none.crt"),
        settings(hosted.dsn(sslmode="disable"), hosted.authority.root),
    ):
        with pytest.raises(ConfigurationError, match="BUSCTL_SSLROOTCERT"):
            async with store_dsn(chosen):
                pass


def test_the_command_line_says_it_in_one_line(hosted: Hosted, migrated: str) -> None:
    said = busctl(hosted, hosted.dsn(database=migrated), "ls", code=3, BUSCTL_SSLROOTCERT="")
    assert "not trusted" in said and "BUSCTL_SSLROOTCERT" in said and "Traceback" not in said


def test_supabase_is_verified_with_the_roots_that_are_shipped() -> None:
    for host in (HOST, "aws-0-eu-central-1.pooler.supabase.com"):
        dsn = secured(f"postgresql://postgres:secret@{host}:6543/postgres")
        assert "sslmode=verify-full" in dsn and str(SUPABASE_ROOTS) in dsn


def test_the_shipped_roots_are_those_that_are_noted() -> None:
    """Self-signed authorities whose fingerprints stand beside the file and in the page."""
    prints = [fingerprint(body) for body in PEM.findall(SUPABASE_ROOTS.read_bytes())]
    note = (SUPABASE_ROOTS.parent / "README.md").read_text("utf-8")
    assert prints == PRINTS.findall(note)
    checked = subprocess.run(
        ["openssl", "verify", "-CAfile", SUPABASE_ROOTS, SUPABASE_ROOTS], capture_output=True
    )
    assert checked.returncode == 0, checked.stderr


def fingerprint(body: bytes) -> str:
    digest = hashlib.sha256(base64.b64decode(body)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, 64, 2))


def tells_no_secret(error: BusctlError) -> None:
    assert PASSWORD not in f"{error!r} {error} {error.__cause__!r} {error.__cause__}"
