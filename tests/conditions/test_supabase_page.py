"""docs/supabase.md: every command in it works, and prints what is shown."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conditions import hosted as hosts
from tests.conditions import supabase_cli
from tests.conditions.hosted import PASSWORD
from tests.docs import examples
from tests.docs.examples import Machine, Ran
from tests.pooling import pooled

PAGE = "supabase.md"
POOLER = (
    "postgresql://postgres.abcdefghijklmnopqrst:PASSWORD@"
    "aws-0-eu-central-1.pooler.supabase.com:6543/postgres"
)
QUIET = """#!/bin/sh
DO_NOT_TRACK=1 SUPABASE_TELEMETRY_DISABLED=1 exec {program} "$@" --agent no
"""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def ended() -> Iterator[dict[str, Ran]]:
    """Every example, run once against a project of its own."""
    with tempfile.TemporaryDirectory(prefix="busctl-page-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for each in ("server", "machine", "programs"):
            (folder / each).mkdir(mode=0o755)
        program = folder / "programs" / "supabase"
        program.write_text(QUIET.format(program=supabase_cli.installed()))
        program.chmod(0o755)
        with hosts.running(folder / "server") as server:
            server.run(hosts.CRON)
            server.run("alter database postgres set pgrst.db_schemas = 'public'")
            with pooled(server.dsn(sslmode="require")) as pooler:
                url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{{}}/postgres"
                machine = Machine(
                    folder / "machine", url.format(server.port),
                    {POOLER: url.format(pooler.port)}, str(program.parent),
                )  # fmt: skip
                yield examples.run_all(PAGE, machine)


@pytest.mark.parametrize("name", examples.runs(PAGE))
def test_the_example_works(ended: dict[str, Ran], name: str) -> None:
    examples.check_works(ended, name)


@pytest.mark.parametrize("name", examples.outputs(PAGE))
def test_it_prints_what_is_shown(ended: dict[str, Ran], name: str) -> None:
    examples.check_prints(ended, PAGE, name)


def test_every_command_is_run_or_says_why_not() -> None:
    assert not examples.unexplained(PAGE)
