"""`busctl drill` on the command line, and one short drill; tests/conditions plays them all."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from busctl.cli.drill_deployment import made_passable
from busctl.ops.drill import DRILLS
from tests.cli.commands import busctl, start, wait_for


def test_the_list_says_what_each_does_and_proves() -> None:
    ran = busctl(None, "drill", "list")
    assert ran.code == 0
    for one in DRILLS:
        assert one.name in ran.text
        assert one.what in ran.text and one.proves in ran.text
    shape = json.loads(busctl(None, "drill", "list", "--json").out)
    assert [one["name"] for one in shape["drills"]] == [one.name for one in DRILLS]


def test_what_cannot_be_played_is_a_wrong_command_line() -> None:
    for words, said in (
        ((), "Name drills, or say --all"),
        (("read-only", "--all"), "Name drills, or say --all"),
        (("flood",), "There is no drill flood"),
        (("read-only", "--configured", "--yes"), "names no database"),
        (("read-only", "--messages", "0"), "--messages"),
    ):
        ran = busctl(None, "drill", *words)
        assert ran.code == 2
        assert said in ran.err


def test_a_drill_adds_up_and_leaves_nothing_behind(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_passable(open_folder / "drills")
    monkeypatch.setenv("TMPDIR", str(folder))
    report = tmp_path / "drill.json"
    ran = busctl(None, "drill", "read-only", "--messages", "12", "--seed", "3", "--report", report)
    assert (ran.code, ran.err) == (0, "")
    shape = json.loads(report.read_text())
    totals = shape["totals"]
    assert (shape["version"], shape["seed"], shape["exit_code"]) == (1, 3, 0)
    assert totals["attempted"] == totals["delivered_intact"] + totals["named_errors"] == 12
    assert totals["acknowledged"] == totals["stored"] + totals["reconciled"]
    assert totals["reconciled"] > 0
    (one,) = shape["drills"]
    assert len(one["recovery_seconds"]) == len(one["drained_seconds"]) == 1
    assert "1 drill played" in ran.text
    assert not list(folder.iterdir())


def test_a_drill_that_is_killed_leaves_nothing_running(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL cannot be seen to: PostgreSQL, the daemon and the folder go all the same."""
    folder = made_passable(open_folder / "killed")
    monkeypatch.setenv("TMPDIR", str(folder))
    with start("", "drill", "read-only", "--messages", "4000") as child:
        wait_for(lambda: any(folder.glob("*/1/daemon-1/ready.json")))
        assert len(running(folder)) >= 3  # the daemon, PostgreSQL, and who sweeps
        child.kill()
    wait_for(lambda: not running(folder))
    wait_for(lambda: not list(folder.iterdir()))


def running(folder: Path) -> set[int]:
    """Processes that work in that folder, or were told of it."""
    found = set()
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if str(folder) in (each / "cmdline").read_text() + str((each / "cwd").readlink()):
                found.add(int(each.name))
    return found
