"""`busctl cleanup`: what has expired leaves; made for cron."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from datetime import timedelta

    from busctl.core.configuration.settings import Settings
    from busctl.ops.cleanup import CleanupReport
    from busctl.ops.shrinking import Shrunk


def cleanup(
    batch: Annotated[
        int, typer.Option(min=1, max=100_000, help="Rows deleted in one transaction.")
    ] = 1000,
    max_seconds: Annotated[
        float | None,
        typer.Option(min=0.0, help="End after this many seconds; the next run goes on."),
    ] = None,
    keep_events: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS",
            help="Days the audit trail is kept. Default: MESSAGE_BUS_KEEP_EVENTS_DAYS.",
        ),
    ] = None,
    eager: Annotated[
        bool,
        typer.Option("--eager", help="Delete row by row even what is dropped whole within hours."),
    ] = False,
    max_db_bytes: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Then remove messages before their time until the database is no larger.",
        ),
    ] = None,
    metrics_file: Annotated[
        Path | None,
        typer.Option(
            "--metrics-file",
            metavar="FILE",
            help="Tell node_exporter's textfile collector how it went (a name ending in .prom).",
        ),
    ] = None,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Remove expired messages and give their space back.

    Expired messages go whatever their status, delivered ones too; pinned ones stay. Where all of
    a six-hour span has expired, its partition is dropped, which returns the space to the disk at
    once. Elsewhere rows go in small batches that stop no writer; their space is reused by the
    database. Rows whose partition is dropped within hours are left for that: nobody can read them.
    Past --keep-events go the audit trail, system events, and tokens that were revoked or expired.

    --max-db-bytes is for a database that is about to be full: messages that have not expired are
    lost, those of partitions that were delivered whole first, then those that expire soonest;
    pinned ones stay. It asks, unless --yes; --dry-run says what would be lost. Exit 1 if the
    database is still larger afterwards: then rows left room that only the database can use again.

    Works on a database that is read-only by default, as a Supabase project over its quota is.
    Exit 0 if all is well, 1 if something that has expired was in use and could not go, 3 if the
    store could not be reached, 75 if another cleanup is running.

    --json prints: ok, dry_run, messages, payload_bytes, returned_bytes, reusable_bytes,
    rows_deleted, partitions_dropped (partition, rows, payload_bytes, returned_bytes),
    partitions_made, partitions_checked, requests_deleted, system_events_deleted, tokens_deleted,
    left (partition, why, detail), seconds; with --max-db-bytes also shrunk (limit, before, after,
    ok, dry_run, messages, undelivered, payload_bytes, returned_bytes, reusable_bytes, partitions,
    pinned, in_use).

    \b
    Examples:
      busctl cleanup
      busctl cleanup --dry-run
      busctl cleanup -q --max-seconds 300
      busctl cleanup -q --metrics-file /var/lib/node_exporter/busctl_cleanup.prom
      busctl cleanup --max-db-bytes 450MB --dry-run
    """
    import sys
    from datetime import timedelta

    from busctl.cli.running import emit_json, run, say, settings_for

    settings = settings_for(env_file, sets, keep_events_days=keep_events)
    limit = _limit(max_db_bytes, yes=yes, dry_run=dry_run)
    told: dict[str, Any] = {
        "batch": batch, "max_seconds": max_seconds, "eager": eager, "dry_run": dry_run,
    }  # fmt: skip
    talk = say if sys.stderr.isatty() and not (quiet or as_json or dry_run) else None
    report = run(_cleaned(settings, timedelta(days=settings.keep_events_days), talk, told))
    forced = None
    if limit is not None:
        from busctl.cli.cleanup_shrink import shrunk

        forced = shrunk(settings, limit, batch=batch, yes=yes, dry_run=dry_run, talk=talk)
    if metrics_file is not None and not dry_run:
        _write_metrics(metrics_file, report, ok=report.ok and (forced is None or forced.ok))
    if as_json:
        emit_json(shape(report, forced))
    else:
        _show(report, forced, quiet=quiet)
    if not (report.ok and (forced is None or forced.ok)):
        raise typer.Exit(1)


def _write_metrics(target: Path, report: CleanupReport, *, ok: bool) -> None:
    import time

    from busctl.adapters import metrics_file as files

    files.write(target, {
        "busctl_cleanup_timestamp_seconds": ("When this cleanup ended.", time.time()),
        "busctl_cleanup_ok": ("1 when nothing was left that should have gone.", float(ok)),
        "busctl_cleanup_duration_seconds": ("How long it took.", report.seconds),
        "busctl_cleanup_removed_messages": ("Messages removed.", report.messages),
        "busctl_cleanup_removed_bytes": ("Payload bytes removed.", report.payload_bytes),
        "busctl_cleanup_returned_bytes": ("Bytes given back to the disk.", report.returned_bytes),
    })  # fmt: skip


def _limit(max_db_bytes: str | None, *, yes: bool, dry_run: bool) -> int | None:
    if max_db_bytes is None:
        return None
    from busctl.cli.cleanup_shrink import refuse_unasked
    from busctl.core.sizes import parse_size

    limit = parse_size(max_db_bytes)
    refuse_unasked(yes=yes, dry_run=dry_run)
    return limit


def _show(report: CleanupReport, forced: Shrunk | None, *, quiet: bool) -> None:
    from busctl.cli.running import say

    if not quiet:
        print(summary(report))
    for one in report.left:
        if not quiet or one.why == "in_use":
            say(f"{one.partition}: left, {one.detail}.")
    if forced is not None and not (quiet and forced.ok and not forced.messages):
        from busctl.cli.cleanup_shrink import lines

        for line in lines(forced):
            print(line)


async def _cleaned(
    settings: Settings, keep_events: timedelta, talk: Callable[[str], None] | None,
    told: dict[str, Any],
) -> CleanupReport:  # fmt: skip
    from busctl.adapters.clock import SystemClock
    from busctl.adapters.postgres.retention import PostgresRetention
    from busctl.connect import open_store
    from busctl.ops import cleanup as op

    async with open_store(settings) as store, PostgresRetention(store) as retention:
        return await op.cleanup(
            retention, keep_events=keep_events, clock=SystemClock(), on_progress=talk, **told
        )


def shape(report: CleanupReport, forced: Shrunk | None = None) -> dict[str, Any]:
    """The JSON shape of a report."""
    from dataclasses import asdict

    if forced is None:
        return {"ok": report.ok, **asdict(report)}
    return {
        "ok": report.ok and forced.ok, **asdict(report),
        "shrunk": {"ok": forced.ok, **asdict(forced)},
    }  # fmt: skip


def summary(report: CleanupReport) -> str:
    """The report in a line or two, for people."""
    from busctl.cli.rendering import counted, show_size

    would = "Would remove" if report.dry_run else "Removed"
    singly, whole = report.rows_deleted, len(report.partitions_dropped)
    lines = [
        f"{would} {counted(report.messages, 'message')} of {show_size(report.payload_bytes)}: "
        f"{report.messages - singly:,} with {counted(whole, 'partition')} dropped "
        f"({show_size(report.returned_bytes)} returned to the disk), {singly:,} one by one "
        f"({show_size(report.reusable_bytes)} reusable by the database)."
    ]
    if report.requests_deleted or report.partitions_made:
        lines.append(
            f"{would} {counted(report.requests_deleted, 'old request record')}; "
            f"made {counted(report.partitions_made, 'partition')} ahead."
        )
    if report.system_events_deleted or report.tokens_deleted:
        lines.append(
            f"{would} {counted(report.system_events_deleted, 'old system event')} and "
            f"{counted(report.tokens_deleted, 'ended token')}."
        )
    return "\n".join(lines)
