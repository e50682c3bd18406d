"""`busctl bench` as a process sees it: shapes, exit codes, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import psycopg
import pytest

from tests.forks.client import Forked, run


def bench(dsn: str, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DATABASE_URL": dsn, "NO_COLOR": "1"}
    return run(["bench", *args], text=True, env=env)


def left_behind(dsn: str) -> tuple[int, int]:
    with psycopg.connect(dsn) as connection:
        messages = connection.execute("select count(*) from bus.message_bus").fetchone()
        schemas = connection.execute(
            "select count(*) from pg_namespace where nspname = 'busctl_bench'"
        ).fetchone()
    assert messages is not None
    assert schemas is not None
    return messages[0], schemas[0]


def test_json_has_every_subject_round_trips_and_memory(database: str) -> None:
    done = bench(database, "--sizes", "1KB,2MB", "--contents", "json", "--repeat", "2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    shape = json.loads(done.stdout)
    assert shape["version"] == 1
    assert shape["store"] == "configured"
    measured = {
        (row["path"], row["size_bytes"], row["operation"], row["subject"]) for row in shape["rows"]
    }
    for size in (1_000, 2_000_000):
        for operation in ("store", "fetch"):
            for subject in ("bus", "raw", "jsonb"):
                assert ("store", size, operation, subject) in measured
    assert ("store", 2_000_000, "stream", "sha256") in measured
    assert ("put_many", 1_000, "store", "raw") in measured
    row = next(row for row in shape["rows"] if row["subject"] == "bus")
    assert row["median_ms"] > 0
    assert set(row["against"]) == {"raw", "jsonb"}
    trips = {(one["operation"], one["size_bytes"]): one for one in shape["round_trips"]}
    assert trips["put", 1_000]["round_trips"] == 1
    assert trips["get", 1_000]["round_trips"] == 1
    assert [one["operation"] for one in shape["memory"]] == ["store", "fetch"]
    assert all(one["client_bytes"] is not None for one in shape["memory"])
    assert left_behind(database) == (0, 0)


def test_a_proxy_shows_round_trips_in_the_times(database: str) -> None:
    done = bench(
        database, "--sizes", "1KB", "--contents", "json", "--paths", "store", "--repeat", "2",
        "--rtt-ms", "40", "--no-memory", "--json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    shape = json.loads(done.stdout)
    assert shape["rtt_ms"] == 40
    assert all(row["median_ms"] >= 40 for row in shape["rows"])


def test_the_table_names_what_was_measured(database: str) -> None:
    done = bench(
        database, "--sizes", "1KB", "--contents", "random", "--paths", "store", "--repeat", "1",
        "--baselines", "raw", "--no-memory",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("what ")
    assert " x raw" in done.stdout
    assert "jsonb" not in done.stdout
    assert "Round trips after connecting: put 1 KB 1, get 1 KB 1" in done.stdout


def test_the_table_fits_a_hundred_columns(database: str) -> None:
    done = bench(
        database, "--sizes", "1KB,100KB", "--paths", "store,put_many", "--repeat", "1",
        "--rtt-ms", "1", "--no-memory",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert " x raw, " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_answers_through_a_daemon_of_its_own(database: str) -> None:
    done = bench(
        database, "--sizes", "1KB,200KB", "--contents", "json", "--repeat", "2",
        "--paths", "claim,websocket,http", "--json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    shape = json.loads(done.stdout)
    measured = {(row["path"], row["size_bytes"]): row for row in shape["rows"]}
    assert set(measured) == {
        (path, size) for path in ("claim", "websocket", "http") for size in (1_000, 200_000)
    }
    assert {row["operation"] for row in shape["rows"]} == {"call"}
    assert set(measured["claim", 1_000]["against"]) == {"websocket", "http"}
    assert shape["round_trips"] == shape["memory"] == shape["left_out"] == []
    assert left_behind(database) == (0, 0)


def test_what_no_frame_has_room_for_is_named(database: str) -> None:
    done = bench(
        database, "--sizes", "34MB", "--contents", "zeros", "--repeat", "1",
        "--paths", "claim,websocket", "--json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    shape = json.loads(done.stdout)
    assert [row["path"] for row in shape["rows"]] == ["claim"]
    assert [(one["path"], one["size_bytes"]) for one in shape["left_out"]] == [
        ("websocket", 34_000_000)
    ]
    assert "frame" in shape["left_out"][0]["why"]
    assert left_behind(database) == (0, 0)


@pytest.mark.parametrize("path", ["store", "put_many", "claim"])
def test_a_run_that_is_stopped_leaves_nothing(database: str, path: str) -> None:
    running = Forked(
        ["bench", "--sizes", "10KB", "--paths", path, "--repeat", "100000"],
        env={**os.environ, "DATABASE_URL": database}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        while left_behind(database)[0] < 10:
            assert running.poll() is None
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)
        out, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130
    assert out == ""
    assert "Traceback" not in errors
    assert left_behind(database) == (0, 0)


def test_what_cannot_be_read_is_a_wrong_command_line(database: str) -> None:
    for args in (
        ["--sizes", "1XB"],
        ["--sizes", "0"],
        ["--contents", "nonsense"],
        ["--paths", "elsewhere"],
    ):
        done = bench(database, *args)
        assert done.returncode == 2
        assert args[1] in done.stderr
        assert "Traceback" not in done.stderr
