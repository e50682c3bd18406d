"""What `busctl generate` prints works where it is meant to be put."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from busctl.core.errors import ConfigurationError
from busctl.ops.generate import Service, crontab_line, pg_cron_sql, systemd_units
from tests.cli.commands import busctl


def under_cron(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a crontab line as cron does: five fields off, \\% to %, no environment, /bin/sh."""
    command = line.split(" ", 5)[5].replace("\\%", "%")
    return subprocess.run(
        ["/usr/bin/env", "-i", "/bin/sh", "-c", command], cwd=folder, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["bus.env", "50% of 'my' env"])
def test_the_crontab_line_works_without_environment(
    database: str, tmp_path: Path, name: str
) -> None:
    settings = tmp_path / name
    settings.write_text(f"DATABASE_URL={database}\n")
    done = busctl(None, "generate", "cron", "--env-file", settings)
    assert (done.code, done.err) == (0, "")
    (line,) = done.text.splitlines()
    assert line.startswith(f"17 * * * * {Path(sys.executable).parent}/")
    ran = under_cron(line, tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    with psycopg.connect(database) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('busctl.cleanup'))")
        assert under_cron(line, tmp_path).returncode == 75  # so it did work on that database


def test_the_line_that_alerts_is_silent_until_there_is_one(database: str, tmp_path: Path) -> None:
    settings, told = tmp_path / "bus.env", tmp_path / "told"
    settings.write_text(
        f"DATABASE_URL={database}\nBUSCTL_PORT=0\nBUSCTL_STATE_DIR={tmp_path}\n"
        f"BUSCTL_ALERT_RAISE_LOOKS=1\nBUSCTL_ALERT_COMMAND=/usr/bin/tee -a {told}\n"
    )
    done = busctl(None, "generate", "cron", "--env-file", settings, "--alert")
    _, line = done.text.splitlines()
    assert line.startswith("*/5 * * * * ") and line.endswith(">/dev/null")
    assert busctl(None, "generate", "cron", "--env-file", settings, "--alert", "--json").json[
        "alert_line"
    ] == line  # fmt: skip
    ran = under_cron(line, tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr, told.exists()) == (0, "", "", False)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table bus.stray partition of bus.message_bus default")
    ran = under_cron(line, tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "alert raised: partitions.default" in ran.stderr
    assert "partitions.default" in told.read_text()
    again = under_cron(line, tmp_path)
    assert (again.returncode, again.stdout, again.stderr) == (1, "", "")


def test_percent_signs_are_escaped_for_cron(tmp_path: Path) -> None:
    line = crontab_line(["/opt/50%/busctl"], Path("/etc/a%b"), "*/5 1-3 * * mon")
    assert line == r"*/5 1-3 * * mon /opt/50\%/busctl cleanup --quiet --env-file /etc/a\%b"


@pytest.mark.parametrize(
    "schedule", ["", "* * * *", "* * * * * *", "* * * * ;", "17 * * *\n*", "@often", "% * * * *"]
)
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    done = busctl(None, "generate", "cron", "--schedule", schedule)
    assert done.code == 2 and "not a cron schedule" in done.err and not done.out


def test_a_path_that_no_crontab_can_hold_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="character"):
        crontab_line(["/bin/busctl"], Path("/etc/a\nb"), "@daily")


def test_a_missing_settings_file_is_refused(tmp_path: Path) -> None:
    done = busctl(None, "generate", "cron", "--env-file", tmp_path / "none")
    assert done.code == 2 and "There is no file" in done.err


def test_a_database_that_only_the_environment_names_is_warned_about(database: str) -> None:
    done = busctl(database, "generate", "cron")
    assert done.code == 0 and "set here, but not where this runs" in done.err
    assert "DATABASE_URL" in done.err and database not in done.text + done.err


def test_so_is_any_setting_that_no_file_has(tmp_path: Path) -> None:
    """Without its folder, cleanup would be one of another store."""
    folder = str(tmp_path)
    assert "BUSCTL_STORE_DIR" in busctl(None, "generate", "cron", BUSCTL_STORE_DIR=folder).err
    settings = tmp_path / "env"
    settings.write_text(f"BUSCTL_STORE_DIR={tmp_path}\n")
    told = busctl(None, "generate", "cron", "--env-file", settings, BUSCTL_STORE_DIR=folder)
    assert told.code == 0 and "BUSCTL_STORE_DIR" not in told.err


def test_units_are_written_and_name_absolute_paths(tmp_path: Path) -> None:
    settings = tmp_path / "bus env"
    settings.write_text("BUSCTL_DRAIN_TIMEOUT_SECS=5\nBUSCTL_STATE_DIR=/srv/bus\n")
    folder = tmp_path / "units"
    done = busctl(
        None, "generate", "systemd", "--env-file", settings, "--output", folder, "--user", "bus"
    )
    assert done.code == 0 and done.out == b""
    names = ["busctl-cleanup.service", "busctl-cleanup.timer", "busctl-serve.service"]
    assert sorted(path.name for path in folder.iterdir()) == names
    unit = (folder / "busctl-serve.service").read_text()
    assert f'ExecStart={Path(sys.executable).parent}/busctl serve --env-file "{settings}"' in unit
    for line in (
        "Type=notify", "Restart=on-failure", "User=bus", "TimeoutStopSec=20",
        "NoNewPrivileges=yes", "ProtectSystem=strict", "ReadWritePaths=-/srv/bus",
        "Environment=BUSCTL_STORE_DIR=/var/lib/busctl/store",
    ):  # fmt: skip
        assert line in unit.splitlines()
    assert "BUSCTL_STATE_DIR" not in unit  # the file's own word stands
    assert "SuccessExitStatus=75" in (folder / "busctl-cleanup.service").read_text()


def test_units_escape_what_systemd_would_expand() -> None:
    units = systemd_units(Service(["/a b/50%"], Path('/x/$y"z'), "root", 10))
    assert r'ExecStart="/a b/50%%" serve --env-file "/x/$$y\"z"' in units["busctl-serve.service"]


def test_json_holds_the_units() -> None:
    done = busctl(None, "generate", "systemd", "--json")
    assert set(done.json["units"]) == {
        "busctl-serve.service", "busctl-cleanup.service", "busctl-cleanup.timer"
    }  # fmt: skip
    assert done.json["written"] == []


STAND_IN = """
create schema cron;
create table cron.job (jobname text, schedule text, command text);
create table cron.job_run_details (end_time timestamptz);
create function cron.schedule(text, text, text) returns bigint language sql
    as 'insert into cron.job values ($1, $2, $3); select 1::bigint';
insert into cron.job_run_details values (now()), (now() - interval '8 days');
"""


@pytest.mark.parametrize("server_version", ["database", "database15"])
def test_the_pg_cron_jobs_run(server_version: str, request: pytest.FixtureRequest) -> None:
    """Without the extension: a stand-in keeps the jobs, which then run as pg_cron runs them."""
    dsn = request.getfixturevalue(server_version)
    done = busctl(dsn, "generate", "pg_cron", "--schedule", "*/10 * * * *")
    assert (done.code, done.err) == (0, "")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(STAND_IN.encode())
        text = done.text.replace(
            "create extension if not exists pg_cron with schema pg_catalog;", ""
        )
        connection.execute(text.encode())
        jobs = connection.execute("select jobname, schedule, command from cron.job").fetchall()
        assert [job[:2] for job in jobs] == [
            ("busctl-cleanup", "*/10 * * * *"), ("busctl-cron-history", "41 3 * * *")
        ]  # fmt: skip
        for _, _, command in jobs:
            connection.execute(command.encode())
        rows = connection.execute("select count(*) from cron.job_run_details").fetchone()
        assert rows == (1,)


def test_pg_cron_takes_over_how_long_events_are_kept() -> None:
    assert "keep_events => interval '7.5 days'" in pg_cron_sql("@daily", 7.5)
    done = busctl(None, "generate", "pg_cron", "--json", "--set", "MESSAGE_BUS_KEEP_EVENTS_DAYS=9")
    assert "interval '9 days'" in done.json["sql"]


@pytest.mark.parametrize("command", ["cron", "systemd", "pg_cron"])
def test_help_has_examples(command: str) -> None:
    done = busctl(None, "generate", command, "--help")
    assert done.code == 0 and f"busctl generate {command}" in done.text.split("Examples:")[1]
