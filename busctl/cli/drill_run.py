"""Puts a run of drills together, and prints what it came to."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from busctl.adapters.clock import SystemClock
from busctl.cli.drill_deployment import ThrowAway, made_passable, throw_away
from busctl.cli.drill_remains import swept
from busctl.cli.rendering import counted
from busctl.cli.running import SHAPE_VERSION, emit_json, say
from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError
from busctl.ops.drill import DRILLS, Drill, DrillReport, Played, Shape, run


@dataclass(frozen=True)
class Wanted:
    """What the command line asked for; `given` names the database to play on, None: an own one."""

    drills: Sequence[Drill]
    messages: int
    seed: int | None
    report: Path | None
    keep: bool
    as_json: bool
    quiet: bool
    given: Settings | None


def tell_list(*, as_json: bool) -> None:
    """Every drill, with what happens in it and what it proves."""
    if as_json:
        emit_json({"drills": [
            {"name": one.name, "what": one.what, "proves": one.proves} for one in DRILLS
        ]})  # fmt: skip
        return
    for one in DRILLS:
        print(f"{one.name}\n    {one.what}\n    Proves: {one.proves}")


def chosen(names: Sequence[str], *, everything: bool) -> list[Drill]:
    """The drills by name, once each, in the order they are played. Raises ConfigurationError."""
    known = {one.name: one for one in DRILLS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(
            f"There is no drill {', '.join(unknown)}.", remedy=f"Known are {', '.join(known)}."
        )
    if everything == bool(names):
        raise ConfigurationError(
            "Name drills, or say --all.", remedy="`busctl drill list` lists them."
        )
    return [one for one in DRILLS if everything or one.name in names]


def require_consent(given: Settings | None, *, yes: bool) -> None:
    """Raises ConfigurationError unless it is said that the configured database may be broken."""
    if given is None:
        return
    if given.database_url is None:
        raise ConfigurationError(
            "--configured: DATABASE_URL names no database.", remedy="Set it, or leave that out."
        )
    if not yes:
        raise ConfigurationError(
            "--configured: the database of DATABASE_URL would be migrated, made read-only for "
            "seconds, and filled with messages.",
            remedy="Say --yes if it may be thrown away.",
        )


async def play(wanted: Wanted) -> int:
    """Play them; returns the exit code."""
    seed = secrets.randbelow(1 << 32) if wanted.seed is None else wanted.seed
    folder = await asyncio.to_thread(_folder)
    numbers = count(1)

    def make(shape: Shape) -> AbstractAsyncContextManager[ThrowAway]:
        return throw_away(folder / str(next(numbers)), shape, seed, wanted.given)

    try:
        async with swept(folder, keep=wanted.keep):
            report = await run(
                wanted.drills, make, SystemClock(), messages=wanted.messages, seed=seed,
                own_server=wanted.given is None,
                begins=lambda drill: _begins(drill, wanted),
                told=lambda one: None if wanted.as_json else _tell(one, quiet=wanted.quiet),
            )  # fmt: skip
    finally:
        if wanted.keep:
            say(f"The deployments are in {folder}.")
        else:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    if wanted.report is not None:
        _write(wanted.report, report)
    if wanted.as_json:
        emit_json(report.shape())
    elif not wanted.quiet or report.exit_code:
        print(summary(report))
    return report.exit_code


def _folder() -> Path:
    return made_passable(Path(tempfile.mkdtemp(prefix="busctl-drill-")))


def _begins(drill: Drill, wanted: Wanted) -> None:
    if sys.stderr.isatty() and not (wanted.quiet or wanted.as_json):
        say(f"{drill.name}: {drill.what}")


def _write(path: Path, report: DrillReport) -> None:
    shape = {"version": SHAPE_VERSION, **report.shape()}
    path.write_text(json.dumps(shape, indent=2, ensure_ascii=False) + "\n", "utf-8")


# --- printing ----------------------------------------------------------------------------------


def _tell(one: Played, *, quiet: bool) -> None:
    if quiet and one.complete and one.sum is not None and not one.sum.violations:
        return
    for line in lines_of(one):
        print(line, flush=True)


def lines_of(one: Played) -> Iterator[str]:
    """One drill for people: a line of figures, then whatever is not as it should be."""
    found = one.sum
    if found is None:
        yield f"{one.drill.name:<20} NOT PLAYED: {one.why}"
        return
    recovery, drained = (
        f"{max(times):.2f} s" if times else "-" for times in (one.recoveries, one.drained)
    )
    yield (
        f"{one.drill.name:<20} {found.attempted:>5,} = {found.intact:,} intact + "
        f"{sum(found.named_errors.values()):,} errors; {found.acknowledged:,} acknowledged = "
        f"{found.stored:,} stored + {found.reconciled:,} reconciled + {found.waiting:,} waiting; "
        f"{found.duplicates} twice, {found.corrupted} corrupted, {found.lost} lost; "
        f"recovery {recovery}, drained {drained}; {one.seconds:.1f} s"
    )
    for note in one.notes:
        yield f"    {note}"
    for code, times in found.named_errors.items():
        yield f"    named error {code}: {times:,}"
    for point in one.unreached:
        yield f"    NOT REACHED: {point}"
    for each in found.violations:
        yield f"    VIOLATION {each.kind}: {each.subject}: {each.message}"


def summary(report: DrillReport) -> str:
    """All drills in a line."""
    totals = Counter(report.shape()["totals"])  # empty where nothing was played
    left = sum(not one.complete for one in report.played)
    parts = [
        f"{counted(len(report.played) - left, 'drill')} played",
        counted(totals["attempted"], "message"),
        f"{totals['lost']} lost, {totals['duplicates']} twice, {totals['corrupted']} corrupted",
    ]
    parts += [f"{left} not played whole"] if left else []
    parts += [counted(totals["violations"], "violation")] if totals["violations"] else []
    return f"{', '.join(parts)} (seed {report.seed})."
