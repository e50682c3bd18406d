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
    configured: Annotated[
        bool,
        typer.Option("--configured", help="Play on the database of DATABASE_URL; needs --yes."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="That database may be thrown away.")
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Rehearse faults on a deployment that is made for it and thrown away.

    Makes a PostgreSQL, a daemon and a spool in a temporary folder, with a proxy before each that
    cuts, stalls and spoils lines; your settings, store and daemons are not touched, and nothing
    stays behind, even if this is killed. Four callers, one of them an old client that takes no
    claims, call a tool for answers of 1 KB to 10 MB while servers are killed, lines are cut and
    disks are full. Afterwards every acknowledged answer is looked up, read back and compared with
    what the tool made.

    Each drill must come to: messages attempted = delivered intact + named errors; acknowledged =
    stored + reconciled + waiting; nothing lost, nothing stored twice, nothing corrupted. Recovery
    is measured in seconds from the cure to the first answer that goes straight into the store, and
    to an empty spool.

    With --configured --yes the PostgreSQL is the one of DATABASE_URL, which must hold no message
    but those of drills: it is migrated, made read-only for seconds, and our sessions there are
    ended. Drills that tamper with the server are not played then. Messages stay until they expire.

    Exit 0 if all of it held; 1 with the ids if anything did not; 3 if a drill could not be played,
    or a point in it was not reached (pooler-restarted needs pgbouncer, disk-full needs Linux).

    --json and --report: `seed`, `exit_code`, `totals`, `slowest_recovery_seconds`, `drills` (name,
    played, why_not, points_not_reached, attempted, delivered_intact, named_errors by code,
    acknowledged, stored, reconciled, waiting, stored_unacknowledged, repeats, damage_detected,
    duplicates, corrupted, lost, violations, recovery_seconds, drained_seconds, seconds, notes,
    invariants).

    \b
    Examples:
      busctl drill list
      busctl drill postgres-killed daemon-killed
      busctl drill --all --messages 10000 --report drills.json
      busctl drill store-cut read-only --configured --yes
    """
    from busctl.cli import drill_run
    from busctl.cli.running import run, settings_for

    if names == ["list"]:
        drill_run.tell_list(as_json=as_json)
        return
    chosen = drill_run.chosen(names or [], everything=everything)
    given = settings_for(env_file, sets) if configured else None
    drill_run.require_consent(given, yes=yes)
    wanted = drill_run.Wanted(chosen, messages, seed, report, keep, as_json, quiet, given)
    code = run(drill_run.play(wanted))
    if code:
        raise typer.Exit(code)
