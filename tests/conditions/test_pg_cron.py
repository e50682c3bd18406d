"""pg_cron cleans up as `busctl generate pg_cron` schedules it, and its failures are seen."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests.conditions.commands import busctl
from tests.conditions.hosted import CRON, Hosted

MINUTE = "* * * * *"
RUN = (
    "select run.status, run.return_message from cron.job_run_details run "
    "join cron.job using (jobid) where jobname = '{}' order by start_time"
)

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A database whose cleanup pg_cron has run once, and one where that failed."""

    hosted: Hosted
    dsn: str
    gone: str


@pytest.fixture(scope="module")
def scheduled(hosted: Hosted) -> Iterator[Scheduled]:
    """pg_cron knows no less than a minute here (seconds came with 1.5): it is waited for once."""
    dsn = hosted.dsn()
    busctl(hosted, dsn, "migrate", "up")
    stored = json.loads(busctl(hosted, dsn, "put", "/etc/hostname", "--json"))
    hosted.run("update bus.message_bus set expires_at = now()")
    hosted.run(CRON)
    sql = busctl(hosted, dsn, "generate", "pg_cron", "--schedule", MINUTE)
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", dsn], input=sql, text=True, check=True,
                   capture_output=True)  # fmt: skip
    hosted.project("elsewhere")  # has no bus: there the same command fails
    hosted.run(
        "select cron.schedule_in_database('busctl-cleanup-elsewhere', schedule, command, "
        "'elsewhere', 'postgres') from cron.job where jobname = 'busctl-cleanup'"
    )
    wait(hosted)
    yield Scheduled(hosted, dsn, stored["transaction_id"])
    hosted.run("drop extension pg_cron")


def wait(hosted: Hosted) -> None:
    """Until both jobs have ended."""
    deadline = time.monotonic() + 100
    ended = "select count(distinct jobid) from cron.job_run_details where end_time is not null"
    while hosted.run(ended) != [(2,)]:
        assert time.monotonic() < deadline, hosted.run("table cron.job_run_details")
        time.sleep(0.5)


def test_it_has_cleaned_up(scheduled: Scheduled) -> None:
    runs = scheduled.hosted.run(RUN.format("busctl-cleanup"))
    assert [status for status, _ in runs][:1] == ["succeeded"], runs
    assert "expired at" in busctl(scheduled.hosted, scheduled.dsn, "get", scheduled.gone, code=1)
    assert scheduled.hosted.run("select count(*) from bus.message_bus") == [(0,)]


def test_its_owner_is_no_superuser_and_its_history_is_purged(scheduled: Scheduled) -> None:
    jobs = scheduled.hosted.run("select jobname, username from cron.job order by jobname")
    assert jobs == [
        ("busctl-cleanup", "postgres"), ("busctl-cleanup-elsewhere", "postgres"),
        ("busctl-cron-history", "postgres"),
    ]  # fmt: skip


def test_a_failure_is_seen(scheduled: Scheduled) -> None:
    """In cron.job_run_details, which nobody reads, and by `busctl check cron`."""
    ((status, message), *_) = scheduled.hosted.run(RUN.format("busctl-cleanup-elsewhere"))
    assert status == "failed" and "bus" in str(message)
    said = busctl(scheduled.hosted, scheduled.dsn, "check", "cron", code=1)
    assert "busctl-cleanup-elsewhere" in said and "job_run_details" in said
    with psycopg.connect(scheduled.dsn, autocommit=True) as owner:
        owner.execute("select cron.unschedule('busctl-cleanup-elsewhere')")
    busctl(scheduled.hosted, scheduled.dsn, "check", "cron")
