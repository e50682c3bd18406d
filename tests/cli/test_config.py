"""`busctl config` as a process sees it: streams, exit codes, JSON, masking."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from busctl.core.configuration.settings import Settings, canonical_name, known_names
from tests.forks.client import run

ROOT = Path(__file__).parents[2]
SECRET = "hunter2-hunter2"
DSN = f"postgresql://user:{SECRET}@db.example:6543/postgres"


@pytest.fixture
def config(tmp_path: Path) -> Run:
    return Run(tmp_path)


class Run:
    """Runs `busctl config …` in a folder of its own, with only the given variables of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        ours = (*known_names(), "MESSAGE_BUS_", "BUSCTL_")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return run(
            ["config", *args], text=True, cwd=self.folder,
            env={**inherited, **environ, "NO_COLOR": "1"},
        )  # fmt: skip

    def env_file(self, text: str) -> Path:
        file = self.folder / ".env"
        file.write_text(text)
        return file


def rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in text.splitlines()}


def test_show_names_every_setting(config: Run) -> None:
    done = config("show")
    assert (done.returncode, done.stderr) == (0, "")
    shown = rows(done.stdout)
    assert shown.pop("NAME") == ["VALUE"]
    assert list(shown) == [canonical_name(field) for field in Settings.model_fields]
    assert shown["MESSAGE_BUS_TTL_HOURS"] == ["48"]
    assert shown["DATABASE_URL"] == ["-"]


def test_show_origin(config: Run) -> None:
    config.env_file("# mine\nBUSCTL_POOL_MAX_SIZE=3\n")
    done = config("show", "--origin", EXAI_WS_PORT="9", MESSAGE_BUS_TTL_HOURS="2")
    shown = rows(done.stdout)
    assert shown["NAME"] == ["VALUE", "ORIGIN"]
    assert shown["BUSCTL_POOL_MAX_SIZE"] == ["3", ".env:2"]
    assert shown["BUSCTL_PORT"] == ["9", "environment", "(EXAI_WS_PORT)"]
    assert shown["MESSAGE_BUS_TTL_HOURS"] == ["2", "environment"]
    assert shown["BUSCTL_HOST"] == ["127.0.0.1", "default"]


def test_show_masks_secrets_and_keeps_the_host(config: Run) -> None:
    for args in (["show"], ["show", "--origin"], ["show", "--json"]):
        done = config(*args, DATABASE_URL=DSN, BUSCTL_TOKEN=SECRET)
        assert done.returncode == 0
        assert "postgresql://user:***@db.example:6543/postgres" in done.stdout
        assert "hunter2" not in done.stdout + done.stderr


def test_show_json(config: Run) -> None:
    file = config.env_file("BUSCTL_TOOLS=a:b,c:d\nBUSCTL_TOKN=x\n")
    done = config("show", "--json", BUSCTL_TOKEN=SECRET)
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert said["version"] == 1
    assert said.keys() == {"version", "settings", "warnings"}
    assert "BUSCTL_TOKEN" in said["warnings"][0]
    by_name = {each["name"]: each for each in said["settings"]}
    assert len(by_name) == len(Settings.model_fields)
    assert by_name["BUSCTL_TOOLS"] == {
        "name": "BUSCTL_TOOLS",
        "field": "tools",
        "value": ["a:b", "c:d"],
        "origin": {"kind": "file", "name": "BUSCTL_TOOLS", "path": file.name, "line": 1},
    }
    assert by_name["BUSCTL_PORT"]["value"] == 8765
    assert by_name["MESSAGE_BUS_ENABLED"]["value"] is True
    assert by_name["DATABASE_URL"]["value"] is None
    assert by_name["BUSCTL_TOKEN"]["value"] == "***"
    assert by_name["BUSCTL_PORT"]["origin"]["kind"] == "default"


def test_check_when_all_is_well(config: Run) -> None:
    done = config("check", "--env-file", str(ROOT / ".env.testing"))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_check_warns_and_passes(config: Run) -> None:
    done = config("check", MESSAGE_BUS_TTL_HOUR="4")
    assert done.returncode == 0
    assert done.stderr.startswith("Warning: MESSAGE_BUS_TTL_HOUR (environment)")


def test_check_tells_every_fault_at_once(config: Run) -> None:
    config.env_file("BUSCTL_POOL_MAX_SIZE=none\n")
    wrong = {"MESSAGE_BUS_ENABLED": "perhaps", "BUSCTL_TLS_CERT": "c", "BUSCTL_PROT": "1"}
    done = config("check", **wrong, DATABASE_URL=f"{SECRET}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Warning: BUSCTL_PROT" in done.stderr
    assert "4 faults" in done.stderr
    assert "BUSCTL_POOL_MAX_SIZE (.env:1): 'none'" in done.stderr
    assert "MESSAGE_BUS_ENABLED (environment): 'perhaps'" in done.stderr
    assert "BUSCTL_TLS_CERT (environment)" in done.stderr
    assert "DATABASE_URL (environment)" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


def test_check_json(config: Run) -> None:
    done = config("check", "--json", BUSCTL_PORT="-1")
    assert (done.returncode, done.stderr) == (2, "")
    said = json.loads(done.stdout)
    assert (said["version"], said["ok"], said["warnings"]) == (1, False, [])
    assert said["faults"][0].startswith("BUSCTL_PORT (environment): '-1'")
    fine = config("check", "--json")
    assert fine.returncode == 0
    assert json.loads(fine.stdout) == {
        "version": 1, "ok": True, "faults": [], "warnings": [], "servers": []
    }  # fmt: skip


@pytest.mark.parametrize("command", ["show", "check"])
def test_wrong_configuration_is_exit_2(config: Run, command: str) -> None:
    done = config(command, "--env-file", "none.env")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--env-file none.env: No such file or directory." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["show", "check"])
def test_help_keeps_the_lines_of_its_examples(config: Run, command: str) -> None:
    lines = [line.strip() for line in config(command, "--help").stdout.splitlines()]
    assert f"busctl config {command} --json" in " ".join(lines)
    assert f"busctl config {command}" in {line[: len(f"busctl config {command}")] for line in lines}


def test_help_loads_nothing_heavy(config: Run) -> None:
    code = (
        "import sys, busctl.cli.config;"
        "print([m for m in ('pydantic', 'dotenv', 'psycopg') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=config.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
