"""Another client on the gateway: the inspector of the Model Context Protocol, from npm."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conditions.npm_programs import installed
from tests.e2e.daemons import TOKEN, daemon, environment

MANIFEST = Path(__file__).parent / "npm_mcp"


@pytest.fixture(scope="session")
def inspector() -> Path:
    """Its command line, which looks beside itself for the package that usually bundles it."""
    modules = installed(MANIFEST) / "@modelcontextprotocol"
    (modules / "package.json").write_text(json.dumps({"name": "inspector", "version": "0.21.2"}))
    return modules / "inspector-cli" / "build" / "index.js"


def asked(inspector: Path, target: list[str], *words: str, env: dict[str, str]) -> Any:
    done = subprocess.run(
        ["node", str(inspector), *target, *words], capture_output=True, text=True, timeout=100,
        env={"HOME": os.environ["HOME"], **env},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("front", ["stdio", "http"])
def test_it_lists_calls_and_redeems(
    inspector: Path, database: str, tmp_path: Path, front: str
) -> None:
    env = environment(database, BUSCTL_STATE_DIR=str(tmp_path / "state"))
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "other")) as running:
        program = [sys.executable, "-m", "busctl", "mcp"]
        target = program if front == "stdio" else [f"{running.url}/mcp"]
        more = [] if front == "stdio" else ["--header", f"Authorization: Bearer {TOKEN}"]

        def ask(*words: str) -> Any:
            return asked(inspector, target, *words, *more, env=env)

        assert "letters" in {tool["name"] for tool in ask("--method", "tools/list")["tools"]}
        call = ("--method", "tools/call", "--tool-name")
        small = ask(*call, "text", "--tool-arg", "value=hello")
        assert small["content"] == [{"type": "text", "text": "hello"}]
        large = ask(*call, "letters", "--tool-arg", "count=1000000")
        text, link = large["content"]
        assert link["type"] == "resource_link"
        assert link["size"] == 2_000_000
        read = ask("--method", "resources/read", "--uri", link["uri"])
        payload = read["contents"][0]["text"].encode()
        assert hashlib.sha256(payload).hexdigest() in text["text"]
        templates = ask("--method", "resources/templates/list")["resourceTemplates"]
        assert templates[0]["uriTemplate"] == "bus://{transaction_id}"
        failed = ask(*call, "fail", "--tool-arg", "words=no")
        assert failed["isError"] is True
