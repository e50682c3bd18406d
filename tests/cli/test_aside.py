"""`busctl aside`: what the spool has set aside is listed, read, put back and removed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from busctl.adapters.clock import SystemClock
from busctl.adapters.spool import FileSpool, path_of
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Labels
from busctl.core.errors import StoreUnreachable
from busctl.ops.bus import Bus
from busctl.ops.guarding import GuardedStore, NoStore
from busctl.ops.reconcile import set_aside_old
from tests.cli.commands import Ran, busctl

LARGE = bytes(range(256)) * 10_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(spool_dir=tmp_path / "spool")


@pytest.fixture
def ids(settings: Settings) -> list[str]:
    """Two whole files and a damaged one, set aside."""
    return asyncio.run(_set_aside(settings))


async def _set_aside(settings: Settings) -> list[str]:
    spool, clock = FileSpool.of(settings), SystemClock()
    store = GuardedStore(NoStore(StoreUnreachable("away")), settings, clock, spool)
    bus = Bus(store, settings, clock, sink=spool.sink("STORE_UNAVAILABLE", "d"))
    claims = [await bus.put(body, Labels(tool_name="t")) for body in (b"small", LARGE, b"cut")]
    soon = settings.model_copy(update={"spool_max_age_hours": 1e-9})
    await asyncio.sleep(0.01)
    await set_aside_old(spool, soon, clock)
    ids = [str(one.transaction_id) for one in claims]
    damaged = spool.path / "aside" / f"{ids[2]}.expired"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    (spool.path / "aside" / "notes.txt").write_text("not ours")
    return ids


def aside(settings: Settings, *args: object) -> Ran:
    """The store is not needed, and not asked: nobody listens there."""
    options = ("--set", f"BUSCTL_SPOOL_DIR={settings.spool_dir}")
    return busctl("postgresql://me@127.0.0.1:1/nowhere", "aside", *args, *options)


def test_it_is_listed_with_why_and_read_whole(
    settings: Settings, ids: list[str], tmp_path: Path
) -> None:
    rows = [line.split("\t") for line in aside(settings, "ls").text.splitlines()]
    assert [row[0] for row in rows] == ids
    assert [(row[1], row[4], row[5]) for row in rows] == [
        ("expired", "5", "t"), ("expired", str(len(LARGE)), "t"), ("expired", "-", "-")
    ]  # fmt: skip
    told = aside(settings, "ls", "--json").json
    assert told["bytes"] == sum(one["size"] for one in told["files"])
    assert told["files"][2]["fault"] == "it does not end as it should"
    since = datetime.fromisoformat(told["files"][0]["since"])
    assert timedelta(0) <= datetime.now(UTC) - since < timedelta(minutes=5)

    target = tmp_path / "answer"
    done = aside(settings, "get", ids[1], "-o", target, "--json")
    assert (done.code, done.json["size"]) == (0, len(LARGE))
    assert target.read_bytes() == LARGE
    refused = aside(settings, "get", ids[2], "-o", target)
    assert refused.code == 1 and ids[2] in refused.err
    assert target.read_bytes() == LARGE
    elsewhere = settings.model_copy(update={"spool_dir": tmp_path / "other"})
    nowhere = aside(elsewhere, "get", ids[0], "-o", target)
    assert nowhere.code == 1 and "busctl aside ls" in nowhere.err


def test_it_is_put_back_and_stored(settings: Settings, ids: list[str], database: str) -> None:
    assert aside(settings, "restore", ids[0]).code == 0
    options = ("--set", f"BUSCTL_SPOOL_DIR={settings.spool_dir}")
    assert busctl(database, "reconcile", *options).code == 0
    assert busctl(database, "get", ids[0]).out == b"small"
    again = aside(settings, "restore", ids[0])
    assert again.code == 1 and "was not set aside" in again.err
    spool = path_of(settings)
    assert sorted(path.name.partition(".")[0] for path in (spool / "aside").iterdir()) == sorted(
        [*ids[1:], "notes"]
    )


def test_it_is_removed_only_when_that_is_said(settings: Settings, ids: list[str]) -> None:
    assert aside(settings, "rm", ids[0]).code == 2
    assert aside(settings, "rm").code == 2
    assert "Would remove 1 file" in aside(settings, "rm", ids[0], "--dry-run").text
    assert "Removed 0 files" in aside(settings, "rm", "--older-than", "1h", "--yes").text
    assert len(aside(settings, "ls", "--json").json["files"]) == 3
    assert aside(settings, "rm", ids[0], ids[2], "--yes", "--quiet").out == b""
    (left,) = aside(settings, "ls", "--json").json["files"]
    assert left["transaction_id"] == ids[1]
    assert "Removed 1 file" in aside(settings, "rm", "--older-than", "0.001s", "--yes").text
    assert "Nothing was set aside" in aside(settings, "ls").err
    assert (path_of(settings) / "aside" / "notes.txt").exists()
