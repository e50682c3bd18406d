"""`python -m busctl` in a folder whose files have the names of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from busctl.__main__ import leave_working_directory

MINE = "raise SystemExit('imported from the working directory')\n"

AFTERWARDS = """
import runpy, sys
sys.argv = ["busctl", "--help"]
try:
    runpy.run_module("busctl", run_name="__main__", alter_sys=True)
except SystemExit as left:
    assert not left.code, left.code
import audits
print(audits.__file__)
"""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    (tmp_path / "audits").mkdir()
    (tmp_path / "audits/__init__.py").write_text(MINE)
    (tmp_path / "typer.py").write_text(MINE)
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_a_module_there_is_not_imported(hostile: Path) -> None:
    shown = run(hostile, sys.executable, "-m", "busctl", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "migrate" in shown.stdout


def test_rules_are_ours_once_the_command_line_is_up(hostile: Path) -> None:
    shown = run(hostile, sys.executable, "-c", AFTERWARDS)
    assert (shown.returncode, shown.stderr) == (0, "")
    imported = Path(shown.stdout.splitlines()[-1])
    assert imported.name == "__init__.py"
    assert hostile not in imported.parents


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([str(Path(sys.executable).parent / "busctl")], id="script"),
        pytest.param([str(Path(sys.executable).parent / "mbusctl")], id="second script"),
        pytest.param([sys.executable, "-P", "-m", "busctl"], id="python -P -m"),
    ],
)
def test_a_busctl_there_is_not_run(hostile: Path, command: list[str]) -> None:
    (hostile / "busctl.py").write_text(MINE)
    shown = run(hostile, *command, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "migrate" in shown.stdout


def test_only_the_working_directory_leaves() -> None:
    path = ["/here", "", "/there"]
    leave_working_directory(path, safe_path=False)
    assert path == ["/there"]


def test_nothing_leaves_a_safe_path() -> None:
    path = ["/python/lib.zip", "/there"]
    leave_working_directory(path, safe_path=True)
    assert path == ["/python/lib.zip", "/there"]
