"""`busctl drill` on the command line, and one short drill; tests/conditions plays them all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from busctl.cli.drill_deployment import made_passable
from busctl.ops.drill import DRILLS
from tests.cli.commands import busctl


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
