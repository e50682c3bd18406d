"""Every example of docs/redeem.md, run as it stands against a real daemon and database."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from busctl import BusClient
from busctl.adapters import embedded
from busctl.adapters.clock import SystemClock
from busctl.core import samples
from tests.e2e.client_daemon import Served, serving

PAGE = Path(__file__).parents[2] / "docs" / "redeem.md"
SNIPPET = re.compile(r"<!-- run: ([\w-]+) -->\n```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROGRAMS = ("bash", "curl", "psql", "zstd", "gzip", "base64", "sha256sum", "node")

Stored = tuple[str, bytes]
"""A transaction id and the payload it names."""
KINDS: dict[str, tuple[samples.Kind, int]] = {
    "in the row, as it is": ("random", 2_500),
    "in the row, compressed": ("json", 900_000),
    "chunks, compressed": ("json", 5_000_000),
    "chunks, as they are": ("random", 3_000_000),
    "hostile": ("hostile", 1_500_000),
}


@pytest.fixture(scope="module")
def served(server: embedded.Server, open_folder: Path) -> Iterator[Served]:
    with serving(server, open_folder / "redeem", "docs") as daemon:
        yield daemon


@pytest.fixture(scope="module", params=KINDS)
def stored(served: Served, request: pytest.FixtureRequest) -> Stored:
    """One message of each shape that the store has."""
    kind, size = KINDS[request.param]

    async def store() -> str:
        async with BusClient.connect(served.url, served.token) as client:
            claim = await client.call_claim("generate", {"size_bytes": size, "kind": kind})
            return str(claim.transaction_id)

    with asyncio.Runner() as runner:
        return runner.run(store()), samples.sample(kind, size)


def snippets() -> dict[str, tuple[str, str]]:
    """Language and text of each example, by the name in the comment above it."""
    found = SNIPPET.findall(PAGE.read_text("utf-8"))
    return {name: (language, text) for name, language, text in found}


def run(
    served: Served, folder: Path, transaction_id: str, *names: str
) -> subprocess.CompletedProcess[str]:
    """Run these examples one after the other in `folder`; returns the last one."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not missing, f"{missing} must be installed to run the examples (as .ci/run does)"
    environment = {
        "PATH": os.environ["PATH"], "ID": transaction_id, "BUSCTL_URL": served.url,
        "BUSCTL_TOKEN": served.token, "DATABASE_URL": served.dsn,
    }  # fmt: skip
    done = None
    for name in names:
        language, text = snippets()[name]
        command = _command(folder, name, language, text)
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            break
    assert done is not None
    return done


def _command(folder: Path, name: str, language: str, text: str) -> list[str]:
    if language == "sh":
        return ["bash", "-euo", "pipefail", "-c", text]
    assert language == "ts", f"no way to run {language}"
    program = folder / f"{name}.mjs"
    program.write_text(text, "utf-8")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    major = int(version.removeprefix("v").split(".")[0])
    assert major >= 20, f"Node {version.strip()} is too old: install 20 or later"
    return ["node", *(["--experimental-websocket"] if major < 22 else []), str(program)]


@pytest.mark.parametrize(
    "names",
    [
        ("curl-token", "curl-whole"),
        ("curl-token", "curl-compressed"),
        ("curl-token", "curl-zstd"),
        ("sql-check", "sql-stored", "sql-unpack"),
        ("ts-http",),
        ("ts-websocket",),
    ],
    ids=" ".join,
)
def test_the_example_gives_the_same_bytes(
    served: Served, stored: Stored, names: tuple[str, ...], tmp_path: Path
) -> None:
    transaction_id, payload = stored
    done = run(served, tmp_path, transaction_id, *names)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "answer.json").read_bytes() == payload


def test_the_range(served: Served, stored: Stored, tmp_path: Path) -> None:
    transaction_id, payload = stored
    done = run(served, tmp_path, transaction_id, "curl-token", "curl-range")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "part").read_bytes() == payload[1000:2000]


def test_the_check_on_the_server_says_so(served: Served, stored: Stored, tmp_path: Path) -> None:
    done = run(served, tmp_path, stored[0], "sql-check")
    assert done.stdout.splitlines()[2].split("|")[-1].strip() == "t"
    assert f" {len(stored[1])} |" in done.stdout


@pytest.mark.parametrize("names", [("curl-token", "curl-whole"), ("ts-http",), ("ts-websocket",)])
def test_an_example_fails_where_there_is_nothing(
    served: Served, names: tuple[str, ...], tmp_path: Path
) -> None:
    done = run(served, tmp_path, str(SystemClock().new_id()), *names)
    assert done.returncode != 0
    assert not (tmp_path / "answer.json").exists()


def test_the_token_file_is_private(served: Served, tmp_path: Path) -> None:
    assert run(served, tmp_path, "none", "curl-token").returncode == 0
    assert (tmp_path / "busctl.curl").stat().st_mode & 0o777 == 0o600


def test_every_example_of_the_page_is_run() -> None:
    shown = len(re.findall(r"^```\w+$", PAGE.read_text("utf-8"), re.MULTILINE))
    assert shown == len(snippets()) == 10
