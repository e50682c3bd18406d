"""`busctl cleanup --max-db-bytes`: asking before messages are lost, and saying what was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import typer

from busctl.adapters.postgres.retention import PostgresRetention
from busctl.cli.rendering import counted, show_size
from busctl.cli.running import run, say
from busctl.connect import open_store
from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError
from busctl.ops.shrinking import Shrunk, shrink


def refuse_unasked(*, yes: bool, dry_run: bool) -> None:
    """Raises ConfigurationError where messages would be lost and nobody can be asked."""
    if not (yes or dry_run or sys.stdin.isatty()):
        raise ConfigurationError(
            "--max-db-bytes destroys messages that have not expired, and nobody can be asked.",
            remedy="Say --yes if it is meant, or --dry-run to see what would be lost.",
        )


def shrunk(
    settings: Settings, limit: int, *, batch: int, yes: bool, dry_run: bool,
    talk: Callable[[str], None] | None,
) -> Shrunk:  # fmt: skip
    """Do it, or look; on a terminal without --yes look first, then ask."""
    if not (yes or dry_run):
        planned = run(_shrink(settings, limit, batch, True, None))
        if not planned.messages:
            return planned
        for line in lines(planned):
            say(line)
        typer.confirm("Remove them?", abort=True, err=True)
    return run(_shrink(settings, limit, batch, dry_run, talk))


async def _shrink(
    settings: Settings, limit: int, batch: int, dry_run: bool, talk: Callable[[str], None] | None
) -> Shrunk:
    async with open_store(settings) as store, PostgresRetention(store) as retention:
        return await shrink(retention, limit, batch=batch, dry_run=dry_run, on_progress=talk)


def lines(done: Shrunk) -> Iterator[str]:
    """What was lost, for people, and whether it was enough."""
    if not done.messages:
        yield f"The database has {show_size(done.before)}; nothing had to go before its time."
    else:
        would = "Would lose" if done.dry_run else "Lost"
        yield (
            f"{would} {counted(done.messages, 'message')} of {show_size(done.payload_bytes)}, "
            f"{done.undelivered:,} of them never fetched: "
            f"{counted(len(done.partitions), 'partition')} dropped, "
            f"{show_size(done.returned_bytes)} returned to the disk, "
            f"{show_size(done.reusable_bytes)} reusable by the database."
        )
        yield f"The database had {show_size(done.before)} and has {show_size(done.after)}."
    if done.pinned and not done.ok:
        yield f"{counted(done.pinned, 'pinned message')} stayed."
    for name in done.in_use:
        yield f"{name} is in use and could not be dropped."
    if not done.ok:
        yield (
            f"That is over {show_size(done.limit)}: run it again once today's partitions are past, "
            "or let an administrator VACUUM FULL them."
        )
