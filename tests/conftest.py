"""Fixtures that every test folder shares: one real PostgreSQL a process, one database a test.

A server that cannot be had fails the tests that need it; nothing is skipped.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.postgres.migrator import Migrator
from busctl.connect import Bus
from busctl.core.settings import Settings

DEBIAN_BIN = Path("/usr/lib/postgresql/15/bin")
_numbers = itertools.count()


def pytest_configure() -> None:
    """A shell that starts the tests in the background has them ignore SIGINT, and every process
    they start would inherit that: what Ctrl-C does could not be tested."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the settings of the person who runs it."""
    for name in list(os.environ):
        if name.startswith(("MESSAGE_BUS_", "BUSCTL_", "EXAI_WS_", "SUPABASE_", "DATABASE_URL")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that the server's unprivileged user can reach (pytest's own is 0700)."""
    folder = Path(tempfile.mkdtemp(prefix="busctl-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server(open_folder: Path) -> Iterator[embedded.Server]:
    """The embedded PostgreSQL 18, running for this test process."""
    with embedded.acquire(open_folder / "store18") as lease:
        without_fsync(lease.server)
        yield lease.server
        os.kill(lease.server.pid, signal.SIGQUIT)  # no checkpoint of what is removed next


@pytest.fixture(scope="session")
def server15(open_folder: Path) -> Iterator[embedded.Server]:
    """Debian's PostgreSQL 15, the oldest that is supported."""
    assert (DEBIAN_BIN / "postgres").exists(), (
        f"{DEBIAN_BIN}/postgres is missing: install Debian's postgresql-15 (as .ci/run does)"
    )
    with embedded.acquire(open_folder / "store15", bin_dir=DEBIAN_BIN) as lease:
        without_fsync(lease.server)
        yield lease.server
        os.kill(lease.server.pid, signal.SIGQUIT)  # no checkpoint of what is removed next


def without_fsync(server: embedded.Server) -> None:
    """A test server need not survive the machine; dozens of databases make its stop slow else."""
    with psycopg.connect(server.dsn, autocommit=True) as admin:
        admin.execute("alter system set fsync = off")
        admin.execute("select pg_reload_conf()")


async def make_database(server: embedded.Server, name: str, *, migrated: bool = True) -> str:
    """A new database on that server; returns its DSN. Migrated ones are copies of a template."""
    async with await psycopg.AsyncConnection.connect(server.dsn, autocommit=True) as admin:
        if migrated:
            found = await admin.execute("select 1 from pg_database where datname = 'template_bus'")
            if await found.fetchone() is None:
                await admin.execute("create database template_bus")
                async with await Migrator.connect(dsn_of(server, "template_bus")) as migrator:
                    await migrator.up()
            await admin.execute(f"create database {name} template template_bus")
        else:
            await admin.execute(f"create database {name}")
    return dsn_of(server, name)


def dsn_of(server: embedded.Server, database: str) -> str:
    return psycopg.conninfo.make_conninfo(server.dsn, dbname=database)


@pytest.fixture
async def database(server: embedded.Server) -> str:
    """The DSN of a fresh, migrated database on PostgreSQL 18."""
    return await make_database(server, f"test_{os.getpid()}_{next(_numbers)}")


@pytest.fixture
async def empty_database(server: embedded.Server) -> str:
    """The DSN of a fresh database without a schema."""
    return await make_database(server, f"empty_{os.getpid()}_{next(_numbers)}", migrated=False)


@pytest.fixture
async def database15(server15: embedded.Server) -> str:
    """The DSN of a fresh, migrated database on PostgreSQL 15."""
    return await make_database(server15, f"test_{os.getpid()}_{next(_numbers)}")


@pytest.fixture
def settings(database: str) -> Settings:
    return Settings(database_url=database)  # type: ignore[arg-type]  # pydantic makes it secret


@pytest.fixture
async def bus(settings: Settings) -> AsyncIterator[Bus]:
    """A bus on a database of its own."""
    async with Bus.connect(settings) as connected:
        yield connected
