"""Whether what pg_cron runs inside the database succeeds: its failures show nowhere else."""

from __future__ import annotations

from busctl.core.operating.health import Fault, Grade, Kind, Measure, Seen, Threshold
from busctl.ops.check.surroundings import Check, Surroundings

KINDS = {
    "cron.failed": Kind(
        "Read return_message in cron.job_run_details; schedule it anew with "
        "`busctl generate pg_cron`."
    ),
    "cron.failed_runs": Kind(
        "Read return_message in cron.job_run_details where status = 'failed'.", Threshold(1, None)
    ),
    "cron.inactive": Kind("Switch it on with cron.alter_job, or remove it with cron.unschedule."),
}


async def look(around: Surroundings) -> Seen:
    """The last run of each of our jobs, and the failures of the last 24 hours."""
    (tables,) = await around.store.ask("health_cron_tables")
    if not tables["is_there"]:
        return Seen("There is no pg_cron in this database.")
    jobs = await around.store.ask("health_cron_jobs")
    faults, measures = [], []
    for job in jobs:
        subject = f"job {job['name']}"
        if job["status"] == "failed":
            told = f"Its last run failed: {(job['said'] or 'no message').splitlines()[0]}"
            faults.append(Fault("cron.failed", Grade.CRITICAL, told, subject))
        if not job["active"]:
            faults.append(Fault("cron.inactive", Grade.WARNING, "It is switched off.", subject))
        told = f"{job['failed']} runs failed in the last 24 hours"
        measures.append(Measure("cron.failed_runs", job["failed"], told, subject))
    failing = sum(job["status"] == "failed" for job in jobs)
    summary = f"{len(jobs)} jobs of ours, {failing} failed last." if jobs else (
        "pg_cron is there and runs nothing of ours."
    )  # fmt: skip
    return Seen(summary, tuple(measures), tuple(faults))


CHECK = Check("cron", "what pg_cron runs succeeds", KINDS, look)
