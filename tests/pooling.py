"""pgbouncer in transaction mode in front of a server: few connections, shared by all clients."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.conditions.authority import Authority

PROGRAM = Path("/usr/sbin/pgbouncer")
START_SECS = 20
SIZE = 3
"""Connections to the server for each database and user, fewer than a bus and a test open: with one
more, tests that hold transactions open on purpose could still all be served side by side."""
CONF = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = {auth}
auth_file = {users}
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 500
# Tests make a database each: what a finished one held must not stay.
server_idle_timeout = 2
# A server that comes back is looked for at once (15 s by default).
server_login_retry = 0.2
admin_users = {admin}
stats_users = {admin}
logfile = {log}
{tls}
"""
TLS = """
client_tls_sslmode = require
client_tls_cert_file = {certificate}
client_tls_key_file = {key}
server_tls_sslmode = verify-ca
server_tls_ca_file = {root}
"""


@dataclass(frozen=True, slots=True)
class Pooler:
    """The pooler that runs; `admin` is the one user whom its console lets in."""

    port: int
    admin: str
    behind: str
    behind_port: int
    password: str = ""

    def led(self, dsn: str) -> str:
        """`dsn` by way of the pooler."""
        return make_conninfo(dsn, host="127.0.0.1", port=self.port)

    def leads(self, dsn: str) -> bool:
        """Whether `dsn` is one that `led` gave."""
        parts = conninfo_to_dict(dsn)
        return parts.get("host") == "127.0.0.1" and str(parts.get("port")) == str(self.port)

    def direct(self, dsn: str) -> str:
        """The opposite of `led`."""
        return make_conninfo(dsn, host=self.behind, port=self.behind_port)

    def clients(self, dsn: str) -> int:
        """Connections of clients named busctl to the database of `dsn`."""
        database = conninfo_to_dict(dsn)["dbname"]
        return sum(
            (each["database"], each["application_name"]) == (database, "busctl")
            for each in self.ask("show clients")
        )

    def ask(self, command: str) -> list[dict[str, object]]:
        """What its console answers, such as `show pools`."""
        console = make_conninfo(
            host="127.0.0.1", port=self.port, user=self.admin, dbname="pgbouncer",
            password=self.password or None,
        )  # fmt: skip
        with psycopg.connect(console, autocommit=True, row_factory=psycopg.rows.dict_row) as told:
            answer = told.execute(command.encode())
            return answer.fetchall() if answer.description is not None else []


@contextmanager
def pooled(
    dsn: str, *, size: int = SIZE, authority: Authority | None = None, mode: str = "transaction"
) -> Iterator[Pooler]:
    """A pooler before the server of `dsn`, for its user, for the time of the block. With an
    authority it speaks TLS to both sides and asks for the password."""
    assert PROGRAM.exists(), f"{PROGRAM} is missing: install pgbouncer (as .ci/run does)"
    parts = conninfo_to_dict(dsn)
    own, listen = str(parts["user"]), _free_port()
    with tempfile.TemporaryDirectory(prefix="busctl-pooler-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "users").write_text(f'"{own}" "{parts.get("password", "")}"\n')
        (folder / "ini").write_text(CONF.format(
            host=parts.get("hostaddr") or parts["host"], port=parts.get("port", 5432),
            listen=listen, mode=mode, size=size, admin=own,
            users=folder / "users", log=folder / "log",
            auth="scram-sha-256" if authority else "trust",
            tls=TLS.format(**asdict(authority)) if authority else "",
        ))  # fmt: skip
        process = subprocess.Popen(
            [PROGRAM, "-q", folder / "ini"], user=_account(str(parts["host"])), cwd="/"
        )
        try:
            pooler = Pooler(
                listen, own, str(parts["host"]), int(parts.get("port") or 5432),
                str(parts.get("password") or ""),
            )  # fmt: skip
            _wait(process, listen, folder / "log")
            yield pooler
        finally:
            process.kill()
            process.wait()


def _account(host: str) -> int | None:
    """It refuses to run as root, and the server's socket lets in its own user."""
    if os.geteuid() != 0:
        return None
    return Path(host).stat().st_uid if host.startswith("/") else pwd.getpwnam("postgres").pw_uid


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text() if log.exists() else "pgbouncer ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("pgbouncer does not listen")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
