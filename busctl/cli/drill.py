"""`busctl drill`: break a deployment on purpose, and count what becomes of the messages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from busctl.cli import options


def drill(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Drills to play; `list` lists.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Play every drill.")] = False,
    messages: Annotated[
        int, typer.Option(min=1, metavar="N", help="Messages over all drills played.")
    ] = 500,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed sends the same payloads.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the JSON report there as well.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the folder with store, spool and logs.")
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Rehearse faults on a deployment that is made for it and thrown away.

    Makes a PostgreSQL, a daemon and a spool in a temporary folder, with a proxy before each that
    cuts, stalls and spoils lines; your settings, store and daemons are not touched. Four callers,
    one of them an old client that takes no claims, call a tool for answers of 1 KB to 10 MB while
    servers are killed, lines are cut and disks are full. Afterwards every acknowledged answer is
    looked up, read back and compared with what the tool made.

    Each drill must come to: messages attempted = delivered intact + named errors; acknowledged =
    stored + reconciled + waiting; nothing lost, nothing stored twice, nothing corrupted. Recovery
    is measured in seconds from the cure to the first answer that goes straight into the store.

    Exit 0 if all of it held; 1 with the ids if anything did not; 3 if a drill could not be played,
    or a point in it was not reached (pooler-restarted needs pgbouncer, disk-full needs Linux).

    --json and --report: `seed`, `exit_code`, `totals`, `slowest_recovery_seconds`, `drills` (name,
    played, why_not, points_not_reached, attempted, delivered_intact, named_errors by code,
    acknowledged, stored, reconciled, waiting, stored_unacknowledged, repeats, damage_detected,
    duplicates, corrupted, lost, violations, recovery_seconds, seconds, notes, invariants).

    \b
    Examples:
      busctl drill list
      busctl drill postgres-killed daemon-killed
      busctl drill --all --messages 10000 --report drills.json
    """
    from busctl.cli import drill_run
    from busctl.cli.running import run

    if names == ["list"]:
        drill_run.tell_list(as_json=as_json)
        return
    chosen = drill_run.chosen(names or [], everything=everything)
    wanted = drill_run.Wanted(chosen, messages, seed, report, keep, as_json, quiet)
    code = run(drill_run.play(wanted))
    if code:
        raise typer.Exit(code)
