"""`busctl migrate` as a process sees it: streams, exit codes, JSON, two processes at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from busctl.adapters.sqlfiles import migrations
from busctl.core.migration import script
from tests.forks.client import run
from tests.sql.conftest import run as run_sql

TITLES = [one.title for one in migrations()]
UNREACHABLE = "postgresql://nobody:hunter2-secret@127.0.0.1:1/none"


def environment(**environ: str) -> dict[str, str]:
    return {**os.environ, **environ, "NO_COLOR": "1"}


def busctl(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return run(["migrate", *args], text=True, env=environment(**environ))


def test_up_status_verify_down(empty_database: str) -> None:
    def call(*args: str) -> subprocess.CompletedProcess[str]:
        return busctl(*args, DATABASE_URL=empty_database)

    before = call("status")
    assert before.returncode == 1
    assert [line.split()[-1] for line in before.stdout.splitlines()[1:]] == ["pending"] * len(
        TITLES
    )
    missing = call("verify", "--json")
    assert missing.returncode == 1
    (finding,) = json.loads(missing.stdout)["findings"]
    assert finding["remedy"] == "Run `busctl migrate up`."

    dry = call("up", "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()) == (0, TITLES)
    done = call("up")
    assert (done.returncode, done.stdout.splitlines()) == (0, [f"applied {one}" for one in TITLES])
    assert "partitions of today and tomorrow" in done.stderr
    again = call("up", "--json")
    assert json.loads(again.stdout) == {"version": 1, "applied": [], "pending": []}

    after = call("status", "--json")
    assert after.returncode == 0
    shape = json.loads(after.stdout)
    assert shape["ok"] is True
    assert {one["state"] for one in shape["migrations"]} == {"applied"}
    assert all(one["applied_at"].endswith("Z") for one in shape["migrations"])
    assert call("verify", "--quiet").stdout + call("verify", "--quiet").stderr == ""

    run_sql(empty_database, "alter table bus.message_bus no force row level security")
    drifted = call("verify")
    assert drifted.returncode == 1
    assert "table message_bus: " in drifted.stdout
    assert "  fix: " in drifted.stdout

    asked = call("down", "--to", "0")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "--yes" in asked.stderr
    undone = call("down", "--to", "0", "--yes")
    assert undone.returncode == 0
    assert undone.stdout.splitlines() == [f"undone {one}" for one in TITLES[::-1]]


def test_down_refuses_a_version_that_is_not_applied(database: str) -> None:
    refused = busctl("down", "--to", "20200101000000", "--yes", DATABASE_URL=database)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "20200101000000" in refused.stderr
    dry = busctl("down", "--to", migrations()[-2].version, "--dry-run", DATABASE_URL=database)
    assert (dry.returncode, dry.stdout.splitlines()) == (0, [TITLES[-1]])


def test_two_processes_at_once(empty_database: str) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "busctl", "migrate", "up", "--json"],
            env=environment(DATABASE_URL=empty_database),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    ended = [(one.communicate(timeout=100), one.returncode) for one in running]
    assert [code for _, code in ended] == [0, 0, 0], ended
    applied = [one["version"] for (out, _), _ in ended for one in json.loads(out)["applied"]]
    assert sorted(applied) == [one.version for one in migrations()]


def test_unreachable_store_is_not_an_answer_and_no_secret_is_told() -> None:
    for command in ("up", "status", "verify"):
        done = busctl(command, "--json", DATABASE_URL=UNREACHABLE)
        assert (done.returncode, done.stdout) == (3, "")
        assert json.loads(done.stderr)["error"]["code"] == "STORE_UNAVAILABLE"
        assert "hunter2" not in done.stderr


def test_without_a_database_the_embedded_store_is_migrated(open_folder: Path) -> None:
    home = str(open_folder / "migrate-embedded")
    done = busctl("up", BUSCTL_STORE_DIR=home)
    assert (done.returncode, done.stdout.splitlines()) == (0, [f"applied {one}" for one in TITLES])
    assert busctl("verify", BUSCTL_STORE_DIR=home).returncode == 0


def test_sql_never_connects() -> None:
    done = busctl("sql", DATABASE_URL=UNREACHABLE)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", script(migrations()))


def test_export_writes_once_and_newer_than_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (folder / "29990101000000_mine.sql").write_text("select 1;\n")
    done = busctl("export", "--to", str(folder), DATABASE_URL=UNREACHABLE)
    assert done.returncode == 0
    names = [Path(line).name for line in done.stdout.splitlines()]
    assert len(names) == len(TITLES) + 1
    assert names == sorted(names)
    assert all(name > "29990101000000_mine.sql" for name in names)
    assert sorted(path.name for path in folder.iterdir()) == ["29990101000000_mine.sql", *names]
    again = busctl("export", "--to", str(folder), "--json", DATABASE_URL=UNREACHABLE)
    assert json.loads(again.stdout)["written"] == []
    (folder / names[0]).write_text(
        (folder / names[0]).read_text().replace(migrations()[0].checksum, "0" * 64, 1)
    )
    refused = busctl("export", "--to", str(folder), DATABASE_URL=UNREACHABLE)
    assert refused.returncode == 2
    assert names[0] in refused.stderr
