"""docs/commands/ says what the commands say; run `make docs` after changing a help text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.reference import COMMANDS

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def fresh() -> dict[str, str]:
    """The pages as a new process makes them (this one's terminal settings do not reach it)."""
    code = "import json; from tests.docs.reference import pages; print(json.dumps(pages()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    import json

    shape: dict[str, str] = json.loads(done.stdout)
    return shape


def test_the_pages_are_fresh(fresh: dict[str, str]) -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in COMMANDS.glob("*.md")}
    assert written == fresh, "run `make docs`"


def test_every_command_has_a_summary_and_examples(fresh: dict[str, str]) -> None:
    for name, text in fresh.items():
        if name != "README.md":
            assert "Examples:" in text, f"{name}: the help shows no example"
            assert text.splitlines()[2].strip(), f"{name}: the help has no summary"
