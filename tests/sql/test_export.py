"""Exported files, applied as `supabase db push` does: in order, each text as it is."""

from __future__ import annotations

from busctl.adapters.sqlfiles import migrations
from busctl.core.migration_export import exported
from tests.sql.conftest import run, up
from tests.sql.test_drift import findings

ALL = [one.title for one in migrations()]


def push(dsn: str) -> None:
    for _, text in exported(migrations(), {}):
        run(dsn, text)


async def test_exported_files_make_what_up_makes(hosted: str) -> None:
    push(hosted)
    assert await findings(hosted) == {}
    rows = run(hosted, "select max(upper_bound) > now() + interval '1 day' from bus.partitions")
    assert rows == [(True,)]
    assert await up(hosted) == []


async def test_exported_files_do_nothing_after_up(hosted: str) -> None:
    assert await up(hosted) == ALL
    applied = run(hosted, "select version, applied_at from bus.migration order by 1")
    push(hosted)
    assert run(hosted, "select version, applied_at from bus.migration order by 1") == applied
    assert await findings(hosted) == {}


async def test_push_and_up_take_turns(hosted: str) -> None:
    for _, text in exported(migrations(), {})[:3]:
        run(hosted, text)
    assert await up(hosted) == ALL[3:]
    push(hosted)
    assert await findings(hosted) == {}
