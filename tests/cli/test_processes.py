"""Every command once as its user starts it: the installed script, an interpreter of its own.

The other tests fork their processes (tests/forks). What only a fresh interpreter shows is here:
that a command imports what it needs, and its exit code through the script.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from busctl.adapters import embedded
from busctl.adapters.sqlfiles import migrations
from busctl.cli.app import app
from tests.conftest import make_database
from tests.forks.client import SCRIPT

ROOT = typer.main.get_command(app)
DROPS = (
    "def save(row):\n    try:\n        database.commit(row)\n    except Exception:\n        pass\n"
)
# In the order in which they are run: the words of the command, what else is given, its exit code.
# A command that starts with `store` has the embedded store, every other one the database.
RUNS = [
    ("put", "payload", 0), ("get", "{id}", 0), ("ls", "--json", 0), ("show", "{id}", 0),
    ("pin", "{id}", 0), ("unpin", "{id}", 0), ("extend", "{id} --ttl 1h", 0),
    ("export", "all.tar {id}", 0), ("import", "all.tar --dry-run", 0), ("rm", "{id} --yes", 0),
    ("get", "{id}", 1), ("ls", "--no-such-option", 2),
    ("cleanup", "--dry-run", 0), ("test-integrity", "--sizes 1KB --paths store", 0),
    ("bench", "--sizes 1KB --contents json --repeat 1 --paths store", 0),
    ("call", "echo text=x", 3), ("serve", "--set BUSCTL_PORT=x", 2), ("demo", "--size none", 2),
    ("mcp", "--set BUSCTL_PORT=x", 2),
    ("migrate up", "", 0), ("migrate status", "", 0), ("migrate verify", "", 0),
    ("migrate down", "--to {last} --dry-run", 0), ("migrate sql", "", 0),
    ("migrate export", "--to migrations", 0),
    ("config show", "--origin", 0), ("config check", "", 0),
    ("generate cron", "", 0), ("generate systemd", "", 0), ("generate pg_cron", "", 0),
    ("store status", "", 0), ("store start", "", 0), ("store backup", "bus.backup", 0),
    ("store stop", "", 0), ("store restore", "bus.backup --replace --yes", 0),
    ("audit run", "code", 1), ("audit silent", "code", 1), ("audit config", "code", 0),
    ("audit truncation", "code", 0), ("audit async", "code", 0), ("audit inheritance", "code", 0),
    ("audit sql", "code", 0), ("audit map", "code --entry save", 0), ("audit rules", "", 0),
    ("audit explain", "SF001", 0),
    ("check", "schema", 0), ("token create", "--principal me --scope read", 0),
    ("token list", "", 0), ("providers show", "kimi", 0), ("providers check", "", 2),
]  # fmt: skip


def _commands(group: Any, words: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{words}{name} ")
        else:
            yield f"{words}{name}"


@pytest.fixture(scope="module")
def folder(server: embedded.Server, open_folder: Path) -> Iterator[Path]:
    made = open_folder / f"processes-{os.getpid()}"
    (made / "code").mkdir(parents=True)
    made.chmod(0o755)
    (made / "code" / "a.py").write_text(DROPS)
    (made / "payload").write_bytes(bytes(range(256)))
    (made / "dsn").write_text(asyncio.run(make_database(server, f"processes_{os.getpid()}")))
    yield made
    embedded.stop(made / "store", force=True)


def environment(folder: Path, command: str) -> dict[str, str]:
    """Next to nothing, as under cron."""
    base = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "BUSCTL_PORT": "1",
        "BUSCTL_TOKEN": "t" * 20,
    }
    if command.startswith("store"):
        return base | {"BUSCTL_STORE_DIR": str(folder / "store")}
    return base | {"DATABASE_URL": (folder / "dsn").read_text()}


def start(folder: Path, words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [SCRIPT, *words.split()], cwd=folder, env=environment(folder, words) | more,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("command", "given", "code"), RUNS)
def test_the_installed_script(folder: Path, command: str, given: str, code: int) -> None:
    known = folder / "id"
    given = given.format(
        id=known.read_text().strip() if known.exists() else "", last=migrations()[-1].version
    )
    done = start(folder, f"{command} {given}")
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    if command == "put":
        known.write_bytes(done.stdout)
    if command == "get" and code == 0:
        assert done.stdout == bytes(range(256))


@pytest.mark.parametrize("command", sorted({*_commands(ROOT)} - {one for one, _, _ in RUNS}))
def test_a_command_that_is_not_in_the_table(folder: Path, command: str) -> None:
    """As far as it comes without arguments and with a store that is away."""
    done = start(folder, command, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert done.returncode in (0, 1, 2, 3), done.stderr.decode()
    assert b"Traceback" not in done.stderr


# What is closed, the command, its exit code, and what it says where it still can.
CLOSED = [
    ("<&-", "put -", 1, "Standard input could not be read: Bad file"),
    ("<&-", "rm {id}", 2, "no terminal"),
    ("<&-", "call echo --args-json -", 2, "standard input: Bad file descriptor"),
    (">&-", "get {id}", 1, "{id} was not written to standard output: Bad file descriptor"),
    (">&-", "get {id} -o copy", 0, ""), (">&-", "ls", 1, "Bad file descriptor"),
    ("2>&-", "get {id}", 0, ""), ("<&- >&- 2>&-", "cleanup --quiet", 0, ""),
]  # fmt: skip


@pytest.mark.parametrize(("closed", "words", "code", "said"), CLOSED)
def test_a_standard_stream_that_is_closed(
    folder: Path, closed: str, words: str, code: int, said: str
) -> None:
    """Nothing is read in its place, and nothing is printed into what has its number now."""
    one = start(folder, "put payload").stdout.decode().strip()
    done = subprocess.run(
        ["sh", "-c", f"exec {SCRIPT} {words.format(id=one)} {closed}"], cwd=folder,
        env=environment(folder, words), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr.decode()
    assert said.format(id=one) in done.stderr.decode()
    assert b"busctl failed" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "words",
    ["--version", "config show", "ls", "put payload", "put payload --json", "audit run code"],
)
def test_standard_output_on_a_full_disk(folder: Path, words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [SCRIPT, *words.split()], cwd=folder, env=environment(folder, words),
            stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert b"Exception ignored" not in done.stderr
    if words.startswith("put payload"):
        told = re.search(r"Message (\S+) is stored", done.stderr.decode())
        assert told is not None
        assert start(folder, f"get {told[1]}").stdout == bytes(range(256))


@pytest.mark.parametrize("words", ["--help", "ls", "audit run code"])
def test_a_reader_that_has_gone_is_no_failure(folder: Path, words: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [SCRIPT, *words.split()], cwd=folder, env=environment(folder, words),
            stdin=subprocess.DEVNULL, stdout=gone, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", r"t\u00e4l \ud83c\udf89"),
        ("latin-1", r"täl \ud83c\udf89"),
        ("utf-8", "täl \U0001f389"),
    ],
)
def test_a_locale_without_all_letters(folder: Path, encoding: str, shown: str) -> None:
    """Set as a variable, for a machine may have no locale but UTF-8."""
    label = "täl \U0001f389"
    made = subprocess.run(
        [SCRIPT, "put", "payload", "--session", label], cwd=folder, env=environment(folder, "put"),
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    one = made.stdout.decode().strip()
    for words in (f"show {one}", f"show {one} --json", "ls", "ls --json"):
        done = start(folder, words, PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, b"")
        assert shown in done.stdout.decode(encoding)
        if "--json" in words:
            assert label in str(json.loads(done.stdout.decode(encoding)))
