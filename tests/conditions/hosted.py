"""Debian's PostgreSQL 15 made to look like a Supabase project: TLS with an authority of its own,
Supabase's roles and limits, pg_cron, and a `postgres` that owns everything and is no superuser."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tests.conditions.authority import Authority
from tests.conftest import DEBIAN_BIN

SUPERUSER = "supabase_admin"
HOST = "db.abcdefghijklmnopqrst.supabase.co"
PASSWORD = "correct-horse"
START_SECS = 30
# What a new project has, from the dumps of Supabase's own image: https://github.com/supabase/postgres
ROLES = f"""
create role postgres login createdb createrole replication bypassrls password '{PASSWORD}';
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit password '{PASSWORD}';
grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres with admin option;
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role postgres set statement_timeout = '2min';
"""
SCHEMAS = """
create schema auth authorization supabase_admin;
create schema extensions authorization postgres;
create schema realtime authorization supabase_admin;
grant usage on schema auth, extensions, realtime to anon, authenticated, service_role, postgres;
grant all on schema public to postgres, anon, authenticated, service_role;
"""
# The old rule, under which whatever `postgres` made in public was everybody's; projects from
# before 2026-10-30 have it. It must not reach schema bus.
GRANTS = "".join(
    f"alter default privileges for role postgres{where} grant all on {kind} "
    "to anon, authenticated, service_role;\n"
    for kind in ("tables", "functions", "sequences")
    for where in ("", " in schema public")
)
# What Supabase's dashboard does when it enables the extension.
CRON = """
create extension pg_cron with schema pg_catalog;
grant usage on schema cron to postgres;
grant all on all tables in schema cron to postgres;
"""
CONF = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
ssl = on
ssl_cert_file = '{certificate}'
ssl_key_file = '{key}'
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
cron.host = ''
max_worker_processes = 20
fsync = off
max_connections = 60
log_min_messages = warning
"""


@dataclass(frozen=True, slots=True)
class Hosted:
    """The server that runs. Its certificate is for HOST."""

    port: int
    authority: Authority

    def dsn(self, user: str = "postgres", database: str = "postgres", **more: str) -> str:
        """As one pastes it: it says nothing of TLS, and HOST is led to this machine."""
        return make_conninfo(
            host=HOST, hostaddr="127.0.0.1", port=self.port, user=user, password=PASSWORD,
            dbname=database, **more,
        )  # fmt: skip

    def admin(self, database: str = "postgres") -> str:
        return self.dsn(SUPERUSER, database, sslmode="prefer")

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """One or more statements of the superuser; the rows of the last."""
        with psycopg.connect(self.admin(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description is not None else []

    def switch_tls(self, to: str) -> None:
        """`on` or `off`, in force for whoever connects from now on."""
        self.run(f"alter system set ssl = {to}")
        self.run("select pg_reload_conf()")
        ours = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
        deadline = time.monotonic() + START_SECS
        while self.run(ours) != [(to == "on",)]:
            assert time.monotonic() < deadline, "the server did not read its configuration"
            time.sleep(0.02)

    def project(self, name: str) -> str:
        """A database with Supabase's schemas and grants; returns the DSN of its owner."""
        self.run(f"create database {name} owner postgres")
        self.run(SCHEMAS + GRANTS, name)
        return self.dsn(database=name)


@contextmanager
def running(folder: Path) -> Iterator[Hosted]:
    """Start one in `folder`, which the unprivileged user can reach, for the time of the block."""
    authority = Authority.made(folder, HOST)
    owner = _owner(folder)
    data, port = folder / "data", _free_port()
    (folder / "password").write_text(PASSWORD)
    _as(owner, DEBIAN_BIN / "initdb", "-D", data, "-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8",
        "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync")  # fmt: skip
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(CONF.format(certificate=authority.certificate, key=authority.key))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [DEBIAN_BIN / "postgres", "-D", data, "-p", str(port)],
            stdout=log, stderr=log, user=owner, cwd=folder,
        )  # fmt: skip
    server = Hosted(port, authority)
    try:
        _wait(process, server, folder / "log")
        server.run(ROLES)
        server.run("alter database postgres owner to postgres")
        server.run(SCHEMAS + GRANTS)
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()


def _owner(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root; Debian's package has made a user for it."""
    if os.geteuid() != 0:
        return None
    account = pwd.getpwnam("postgres")
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, account.pw_uid, account.pw_gid)
    return account.pw_name


def _as(owner: str | None, *command: object) -> None:
    done = subprocess.run(
        [str(word) for word in command], user=owner, capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr


def _wait(process: subprocess.Popen[bytes], server: Hosted, log: Path) -> None:
    deadline = time.monotonic() + START_SECS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with suppress(psycopg.OperationalError):  # not yet
            server.run("select 1")
            return
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text()}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
