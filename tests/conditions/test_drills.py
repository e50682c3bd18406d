"""Every drill of `busctl drill` in its short form; and that a drill finds what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from busctl.adapters import pgbouncer
from busctl.adapters.clock import SystemClock
from busctl.cli.drill_deployment import ThrowAway, made_passable, throw_away
from busctl.ops.drill import DRILLS, Drill, Shape, run
from busctl.ops.drill.scene import Scene

MESSAGES = 500

pytestmark = pytest.mark.timeout(900)


def test_nothing_is_lost_twice_or_changed_in_any_drill(tmp_path: Path) -> None:
    assert pgbouncer.program(), "pgbouncer is missing: install it (as .ci/run does)"
    report = tmp_path / "drills.json"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "busctl", "drill", "--all", "--messages", str(MESSAGES),
         "--json", "--report", str(report)],
        capture_output=True, text=True, cwd="/", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    shape = json.loads(report.read_text())
    assert shape == json.loads(done.stdout)
    totals = shape["totals"]
    assert totals["attempted"] >= MESSAGES
    assert totals["attempted"] == totals["delivered_intact"] + totals["named_errors"]
    assert totals["acknowledged"] == totals["stored"] + totals["reconciled"] + totals["waiting"]
    assert [totals[key] for key in ("waiting", "lost", "duplicates", "corrupted")] == [0] * 4
    drills = {one["name"]: one for one in shape["drills"]}
    assert list(drills) == [one.name for one in DRILLS]
    for name, one in drills.items():
        assert one["played"] and not one["points_not_reached"], one
        assert one["recovery_seconds"], name
    for name in ("store-cut", "store-stalled", "read-only", "disk-full", "store-corrupted"):
        assert drills[name]["reconciled"] > 0, f"{name}: the fault was not felt"
    assert drills["client-corrupted"]["damage_detected"] > 0
    assert drills["clock-skewed"]["named_errors"] == {"OUTSIDE_HORIZON": 4}


def test_a_configured_database_is_played_on_when_that_is_said(database: str) -> None:
    words = ("read-only", "session-ended", "postgres-killed", "--messages", "60", "--configured")
    done = drilled(*words, dsn=database)
    assert done.returncode == 2
    assert "--yes" in done.stderr
    done = drilled(*words, "--yes", "--json", dsn=database)
    assert done.returncode == 3, done.stdout + done.stderr
    shape = json.loads(done.stdout)
    assert shape["totals"]["violations"] == 0
    assert [(one["name"], one["played"]) for one in shape["drills"]] == [
        ("session-ended", True), ("read-only", True), ("postgres-killed", False),
    ]  # fmt: skip
    with psycopg.connect(database, autocommit=True) as admin:
        (stored,) = admin.execute("select count(*) from bus.message_bus").fetchone() or (0,)
        assert stored >= shape["totals"]["acknowledged"] > 0
        admin.execute("update bus.message_bus set session_id = 'somebody else' where seq = 1")
    done = drilled("read-only", "--configured", "--yes", dsn=database)
    assert done.returncode == 2
    assert "holds 1 messages that no drill made" in done.stderr


def test_without_pgbouncer_its_drill_is_not_played_and_others_are() -> None:
    """It is no pass, and nothing else is lost by it."""
    words = ["pooler-restarted", "read-only", "disk-full", "--messages", "24", "--json"]
    code = (
        "import busctl.adapters.pgbouncer as made; made.PROGRAMS = ('/nowhere',); "
        "from busctl.cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, "drill", *words], cwd="/", capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    drills = {one["name"]: one for one in json.loads(done.stdout)["drills"]}
    assert [one["played"] for one in drills.values()] == [True, True, False]
    assert "pgbouncer is not installed" in drills["pooler-restarted"]["why_not"]


def drilled(*words: str, dsn: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "busctl", "drill", *words], cwd="/",
        env={"DATABASE_URL": dsn, "HOME": "/nonexistent", "PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


async def test_what_is_lost_changed_or_stored_twice_is_found(open_folder: Path) -> None:
    """A drill behind whose back somebody spoils the store."""
    spoilt: dict[str, str] = {}

    async def play(scene: Scene) -> None:
        async with scene.calls(8):
            pass
        await scene.recovered()
        dsn = scene.deployment.dsn  # type: ignore[attr-defined]  # of a throw-away
        with psycopg.connect(dsn, autocommit=True) as admin:
            rows = admin.execute(
                "select transaction_id, request_id from bus.message_bus "
                "where session_id like '%%caller%%' and chunk_count = 0 order by 1 limit 3"
            ).fetchall()
            (lost, _), (changed, _), (twice, request) = rows
            admin.execute("delete from bus.message_bus where transaction_id = %s", [lost])
            admin.execute(
                "update bus.message_bus set payload = set_byte(payload, 0, "
                "get_byte(payload, 0) # 1) where transaction_id = %s", [changed],
            )  # fmt: skip
            copy = UUID(int=UUID(str(twice)).int ^ 1)
            admin.execute(
                "insert into bus.message_bus overriding user value "
                "select (json_populate_record(message, json_build_object('transaction_id', "
                "%s::uuid))).* from bus.message_bus message where transaction_id = %s",
                [copy, twice],
            )  # fmt: skip
            spoilt.update({"lost": str(lost), "damaged": str(changed), "duplicate": str(copy)})
            assert request

    numbers = count()

    def make(shape: Shape) -> AbstractAsyncContextManager[ThrowAway]:
        folder = made_passable(open_folder / "spoilt")
        return throw_away(folder / str(next(numbers)), shape, 1)

    drill = Drill("spoilt", "Somebody spoils the store.", "It is found.", play)
    report = await run([drill], make, SystemClock(), messages=8, seed=1)
    assert report.exit_code == 1
    found = {one.kind: one.subject for one in report.report.findings}
    assert found.keys() == spoilt.keys()
    assert all(spoilt[kind] in subject for kind, subject in found.items())
