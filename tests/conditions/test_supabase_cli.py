"""busctl and the Supabase command line on one database, whichever comes first."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from busctl.adapters.postgres.tls import SUPABASE_ROOTS
from busctl.adapters.sqlfiles import migrations
from tests.conditions import supabase_cli
from tests.conditions.commands import busctl
from tests.conditions.hosted import Hosted
from tests.conditions.supabase_cli import SupabaseCli

FILES = len(migrations()) + 1
"""One for each migration, and the partitions of the day."""

PEM = re.compile(rb"-----BEGIN.+?-----END CERTIFICATE-----", re.DOTALL)

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def program() -> Path:
    return supabase_cli.installed()


@pytest.fixture
def cli(hosted: Hosted, program: Path, tmp_path: Path) -> SupabaseCli:
    """In a fresh project, with the migrations exported into it."""
    fresh = SupabaseCli(program, tmp_path, hosted)
    fresh.run("init")
    busctl(hosted, "", "migrate", "export", "--to", str(tmp_path / "supabase" / "migrations"))
    return fresh


def agreed(hosted: Hosted, dsn: str) -> None:
    """busctl finds every migration applied, and the schema as it is shipped."""
    status = busctl(hosted, dsn, "migrate", "status")
    assert status.count("  applied") == len(migrations())
    assert "The schema is what was shipped" in busctl(hosted, dsn, "migrate", "verify")


def test_pushed_first(hosted: Hosted, cli: SupabaseCli) -> None:
    dsn = hosted.project("pushed")
    said = cli.on("pushed", "db", "push", "--yes")
    assert said.count("Applying migration") == FILES
    agreed(hosted, dsn)
    listed = cli.on("pushed", "migration", "list").splitlines()
    both = [line for line in listed if line.count("`") == 6]  # local, remote, time
    assert len(both) == FILES
    assert "0 migrations applied" in busctl(hosted, dsn, "migrate", "up")
    assert "up to date" in cli.on("pushed", "db", "push", "--yes")


def test_migrated_first(hosted: Hosted, cli: SupabaseCli) -> None:
    dsn = hosted.project("migrated_first")
    busctl(hosted, dsn, "migrate", "up")
    recorded = hosted.run("select * from bus.migration order by version", "migrated_first")
    assert cli.on("migrated_first", "db", "push", "--yes").count("Applying migration") == FILES
    assert hosted.run("select * from bus.migration order by version", "migrated_first") == recorded
    agreed(hosted, dsn)
    assert "up to date" in cli.on("migrated_first", "db", "push", "--yes")


def test_advisors_find_nothing(hosted: Hosted, cli: SupabaseCli) -> None:
    dsn = hosted.project("advised")
    busctl(hosted, dsn, "migrate", "up")
    # What PostgREST has on a real project; the advisors read it there.
    hosted.run("alter database advised set pgrst.db_schemas = 'public'")
    assert "No issues found" in cli.on("advised", "db", "advisors", "--fail-on", "warn")
    # They do look: a table that everybody reads is found.
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("create table public.open (id int primary key)")
    assert "rls_disabled" in cli.on("advised", "db", "advisors", "--fail-on", "warn", code=1)


def test_the_roots_that_busctl_ships_are_in_it(program: Path) -> None:
    """The published program holds the same texts: that is where they come from."""
    (binary,) = program.parents[1].glob("@supabase/cli-*/bin/supabase")
    held = binary.read_bytes()
    roots = re.findall(
        rb"-----BEGIN.+?-----END CERTIFICATE-----", SUPABASE_ROOTS.read_bytes(), re.S
    )
    assert len(roots) == 2
    assert all(root in held for root in roots)
