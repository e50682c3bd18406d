"""The table of commands: what it says of each is true, and nothing is loaded to show it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer._click.utils import make_default_short_help

from busctl.cli.commands import TABLE, Entry


@pytest.mark.parametrize("entry", TABLE, ids=lambda each: each.name)
def test_it_is_told_by_the_first_sentence_of_its_help(entry: Entry) -> None:
    command = entry.load()
    assert command.name == entry.name
    assert command.help
    assert entry.about == make_default_short_help(command.help, max_length=10_000)


def test_the_list_of_commands_loads_none() -> None:
    code = (
        "import sys; from busctl.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "modules = [n for n in sys.modules if n.startswith('busctl.')]; print(*sorted(modules))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    *_, loaded = done.stdout.splitlines()
    allowed = {"busctl.cli", "busctl.cli.app", "busctl.cli.commands", "busctl.core"}
    allowed.add("busctl.cli.standard")  # the streams that help is printed to
    assert set(loaded.split()) <= allowed | {"busctl.core.errors", "busctl.cli.running"}
    for entry in TABLE:
        assert f"  {entry.name} " in done.stdout
