"""Fixtures that every test folder shares: one real PostgreSQL a process, one database a test.

A server that cannot be had fails the tests that need it; nothing is skipped.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.postgres.migrator import Migrator
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from tests.pooling import Pooler, pooled
from tests.providers.played import Played
from tests.providers.site import SITES

# A deadline of an example is a wall time: a busy machine would fail tests of what is right.
hypothesis.settings.register_profile("busctl", deadline=None)
hypothesis.settings.load_profile("busctl")

DEBIAN_BIN = Path("/usr/lib/postgresql/15/bin")
ROOM_BYTES = 8_000_000_000  # several test processes, two servers each
LONG_FIRST = ("docs", "corpus", "packaging", "cli", "e2e", "adapters", "ops", "sql")
_numbers = itertools.count()
_poolers: dict[int, Pooler] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--through",
        choices=["pgbouncer"],
        help="lead the connections of every test database through a pooler in transaction mode",
    )
    parser.addoption(
        "--on", choices=["15"], help="make the databases of all tests on PostgreSQL 15"
    )
    parser.addoption(
        "--whole-corpus", action="store_true",
        help="judge the rules on every labelled package, not on the larger ones alone",
    )  # fmt: skip


def pytest_configure() -> None:
    """A shell that starts the tests in the background has them ignore SIGINT, and every process
    they start would inherit that: what Ctrl-C does could not be tested."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --on 15, a test that runs on 18 and 15 would run on 15 twice.

    Folders of long tests come first: what runs last has the machine to itself.
    """
    items.sort(key=_turn)
    if config.getoption("--on") is None:
        return
    twice = [each for each in items if "18" in _variant(each).split("-")]
    config.hook.pytest_deselected(items=twice)
    items[:] = [each for each in items if each not in twice]


def _turn(item: pytest.Item) -> int:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return LONG_FIRST.index(folder) if folder in LONG_FIRST else len(LONG_FIRST)


def _variant(item: pytest.Item) -> str:
    """What stands in brackets behind the name of a test."""
    return item.name.partition("[")[2].removesuffix("]")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the settings of the person who runs it."""
    for name in list(os.environ):
        if name.startswith(("MESSAGE_BUS_", "BUSCTL_", "EXAI_WS_", "SUPABASE_", "DATABASE_URL")):
            monkeypatch.delenv(name)


def in_memory() -> str | None:
    """The folder of a tmpfs with room for the test servers, if this machine has one.

    Most of what a new database costs on a disk is making and removing its 300 files.
    """
    folder = Path("/dev/shm")
    if not os.access(folder, os.W_OK | os.X_OK):
        return None
    found = os.statvfs(folder)
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(memory["MemAvailable"].split()[0]) * 1024
    roomy = min(found.f_bavail * found.f_frsize, available) >= ROOM_BYTES
    return str(folder) if roomy and not found.f_flag & os.ST_NOEXEC else None


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that the server's unprivileged user can reach (pytest's own is 0700)."""
    folder = Path(tempfile.mkdtemp(prefix="busctl-test-", dir=in_memory()))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, open_folder: Path) -> Iterator[embedded.Server]:
    """The embedded PostgreSQL 18 (with --on 15: Debian's 15), running for this test process."""
    if request.config.getoption("--on") == "15":
        yield request.getfixturevalue("server15")
        return
    with embedded.acquire(open_folder / "store18") as lease, led(lease.server, request.config):
        without_fsync(lease.server)
        yield lease.server
        os.kill(lease.server.pid, signal.SIGQUIT)  # no checkpoint of what is removed next


@pytest.fixture(scope="session")
def server15(request: pytest.FixtureRequest, open_folder: Path) -> Iterator[embedded.Server]:
    """Debian's PostgreSQL 15, the oldest that is supported."""
    assert (DEBIAN_BIN / "postgres").exists(), (
        f"{DEBIAN_BIN}/postgres is missing: install Debian's postgresql-15 (as .ci/run does)"
    )
    own = embedded.acquire(open_folder / "store15", bin_dir=DEBIAN_BIN)
    with own as lease, led(lease.server, request.config):
        without_fsync(lease.server)
        yield lease.server
        os.kill(lease.server.pid, signal.SIGQUIT)  # no checkpoint of what is removed next


@contextmanager
def led(server: embedded.Server, config: pytest.Config) -> Iterator[None]:
    """With --through, a pooler before that server: `make_database` hands out its address."""
    if config.getoption("--through") is None:
        yield
        return
    with pooled(server.dsn) as pooler:
        _poolers[server.pid] = pooler
        yield


def without_fsync(server: embedded.Server) -> None:
    """A test server need not survive the machine; dozens of databases make its stop slow else."""
    with psycopg.connect(server.dsn, autocommit=True) as admin:
        admin.execute("alter system set fsync = off")
        admin.execute("alter system set max_wal_size = '128MB'")
        admin.execute("select pg_reload_conf()")


async def make_database(server: embedded.Server, name: str, *, migrated: bool = True) -> str:
    """A new database on that server; returns its DSN. Migrated ones are copies of a template.
    With --through, the DSN leads through the pooler."""
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
    pooler = _poolers.get(server.pid)
    return dsn_of(server, name) if pooler is None else pooler.led(dsn_of(server, name))


def direct(dsn: str) -> str:
    """The same database without the pooler that --through puts before it: for what a test does
    behind busctl's back."""
    for pooler in _poolers.values():
        if pooler.leads(dsn):
            return pooler.direct(dsn)
    return dsn


def is_pooled(dsn: str) -> bool:
    """Whether that DSN leads through the pooler of --through."""
    return any(pooler.leads(dsn) for pooler in _poolers.values())


def clients(dsn: str) -> int:
    """How many connections busctl has open to this database, at the pooler if there is one."""
    for pooler in _poolers.values():
        if pooler.leads(dsn):
            return pooler.clients(dsn)
    asked = "select from pg_stat_activity where application_name = 'busctl' and datname = %s"
    with psycopg.connect(dsn, autocommit=True) as admin:
        return admin.execute(asked, [admin.info.dbname]).rowcount


def alter_database(dsn: str, change: str) -> None:
    """`alter database … CHANGE`, in force for every session that begins from now on; a pooler is
    told to begin new ones."""
    with psycopg.connect(direct(dsn), autocommit=True) as admin:
        admin.execute(f"alter database {admin.info.dbname} {change}".encode())
        for pooler in _poolers.values():
            if pooler.leads(dsn):
                pooler.ask(f"reconnect {admin.info.dbname}")


def dsn_of(server: embedded.Server, database: str) -> str:
    return psycopg.conninfo.make_conninfo(server.dsn, dbname=database)


@pytest.fixture(scope="module")
def of_this_module() -> dict[str, str]:
    """The DSNs of the databases that tests of one module share, by their servers' DSNs."""
    return {}


async def shared_or_new(
    request: pytest.FixtureRequest, server: embedded.Server, of_this_module: dict[str, str]
) -> str:
    """A new database, or that of the module where it is marked `one_database`.

    That mark is for modules whose tests only look at messages they made themselves; a test among
    them that looks at the whole store is marked `alone`.
    """
    shares = request.node.get_closest_marker("one_database")
    if not shares or request.node.get_closest_marker("alone"):
        return await make_database(server, f"test_{os.getpid()}_{next(_numbers)}")
    if server.dsn not in of_this_module:
        made = await make_database(server, f"shared_{os.getpid()}_{next(_numbers)}")
        of_this_module[server.dsn] = made
    return of_this_module[server.dsn]


@pytest.fixture
async def database(
    request: pytest.FixtureRequest, server: embedded.Server, of_this_module: dict[str, str]
) -> str:
    """The DSN of a migrated database on PostgreSQL 18: see `shared_or_new`."""
    return await shared_or_new(request, server, of_this_module)


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
    return Settings(database_url=database)


@pytest.fixture
async def bus(settings: Settings) -> AsyncIterator[Bus]:
    """A bus on a database of its own."""
    async with Bus.connect(settings) as connected:
        yield connected


@pytest.fixture
def play() -> Iterator[Callable[[str], Played]]:
    """Plays a provider (kimi, glm, zai) for a test, which fails when a request was not of the form
    that the provider's documents say."""
    started: list[Played] = []

    def start(name: str) -> Played:
        started.append(Played(SITES[name]))
        return started[-1]

    yield start
    for one in started:
        one.stop()
    faults = [f"{one.site.name}: {fault}" for one in started for fault in one.faults]
    assert not faults, "\n".join(faults)
