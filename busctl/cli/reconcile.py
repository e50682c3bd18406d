"""`busctl reconcile`: what waits in the spool goes into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings
    from busctl.ops.reconcile import ReconcileReport, Step


def reconcile(
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Store what waits in the spool of this host.

    While the store is away, the daemon keeps answers in BUSCTL_SPOOL_DIR; it drains them by itself
    when the store is back, and this command does the same. Each message is stored under its own id
    with its own times, once: run it as often as you like, also beside a daemon. A damaged file, and
    one that has waited past MESSAGE_BUS_HORIZON_HOURS, is named and set aside in the folder's
    `aside`, never deleted: `busctl aside` lists, reads and removes what is there. Each database has
    a spool of its own; if another one waits (its address was changed, say), a note names it. With
    --dry-run the store is not asked.

    Exit 0 if nothing is left, 1 if a message was left or set aside (it says why), 3 if the store is
    away, 75 if another process is draining what is left.

    --json prints: ok, dry_run, place, checked, stored, already_stored, bytes, seconds, left
    (transaction_id, fate, size, detail).

    \b
    Examples:
      busctl reconcile --dry-run
      busctl reconcile
      busctl reconcile -q || busctl check spool
    """
    from busctl.adapters.spool import others_of, path_of
    from busctl.cli.running import emit_json, run, say, settings_for

    settings = settings_for(env_file, sets)
    place = str(path_of(settings))
    report = run(_reconciled(settings, dry_run=dry_run))
    if as_json:
        emit_json(shape(report, place))
    else:
        if not quiet:
            print(summary(report, place))
        for step in _unsettled(report):
            if not (quiet and dry_run):
                say(f"{step.transaction_id}: {step.fate}. {step.detail}".rstrip(". ") + ".")
    for other in others_of(settings):
        say(f"note: something waits for another store in {other}; BUSCTL_SPOOL_DIR names a spool.")
    code = _exit_code(report)
    if code:
        raise typer.Exit(code)


async def _reconciled(settings: Settings, *, dry_run: bool) -> ReconcileReport:
    from busctl.adapters.clock import SystemClock
    from busctl.adapters.spool import FileSpool
    from busctl.connect import open_store
    from busctl.ops import reconcile as op

    spool, clock = FileSpool.of(settings), SystemClock()
    if dry_run:
        return await op.look(spool, clock)
    if not spool.ids():  # then the store need not be asked
        return op.ReconcileReport()
    async with open_store(settings) as store:
        return await op.reconcile(store, spool, settings, clock)


def shape(report: ReconcileReport, place: str) -> dict[str, Any]:
    """The JSON shape of a report."""
    from busctl.core.fate import SETTLED, Fate

    return {
        "ok": report.ok,
        "dry_run": report.dry_run,
        "place": place,
        "checked": len(report.steps),
        "stored": len(report.of(Fate.STORED)),
        "already_stored": len(report.of(Fate.KNOWN)),
        "bytes": sum(step.size_bytes for step in report.of(*SETTLED)),
        "seconds": report.seconds,
        "left": [
            {
                "transaction_id": str(step.transaction_id), "fate": step.fate.value,
                "size": step.size_bytes, "detail": step.detail,
            }
            for step in _unsettled(report)
        ],
    }  # fmt: skip


def summary(report: ReconcileReport, place: str) -> str:
    """The report in a line, for people."""
    from busctl.cli.rendering import counted, show_size
    from busctl.core.fate import SETTLED, Fate

    if not report.steps:
        return f"Nothing waits in {place}."
    left = _unsettled(report)
    if report.dry_run:
        size = show_size(sum(step.size_bytes for step in left))
        return f"{counted(len(left), 'message')} of {size} would go into the store from {place}."
    done = report.of(*SETTLED)
    known = len(report.of(Fate.KNOWN))
    size = show_size(sum(step.size_bytes for step in done))
    told = f"Stored {counted(len(done), 'message')} of {size} from {place}"
    told += f", {known:,} of them known already" if known else ""
    return f"{told}; {counted(len(left), 'message')} left." if left else f"{told}; nothing is left."


def _unsettled(report: ReconcileReport) -> list[Step]:
    from busctl.core.fate import SETTLED

    return [step for step in report.steps if step.fate not in SETTLED]


def _exit_code(report: ReconcileReport) -> int:
    from busctl.core.errors import LockHeld
    from busctl.core.fate import Fate

    left = _unsettled(report)
    if not left:
        return 0
    locked = all(step.fate is Fate.LOCKED for step in left)
    return LockHeld.exit_code if locked else 1
