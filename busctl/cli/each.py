"""Doing one thing to several messages: each has its own outcome, and one failure ends no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

if TYPE_CHECKING:
    from busctl.connect import Bus
    from busctl.core.envelope import Envelope
    from busctl.core.errors import BusctlError

    Step = Callable[[Bus, UUID], Awaitable[Envelope | None]]

Ids = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Transaction ids, as `busctl ls` prints them.")
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`envelope` as it is now (None for one that was removed), or the error that came instead."""

    transaction_id: UUID
    envelope: Envelope | None = None
    error: BusctlError | None = None


def for_each(
    ids: list[str],
    step: Step,
    done: str,
    *,
    as_json: bool,
    env_file: Path | None,
    sets: list[str] | None,
) -> None:
    """Run `step` for every id, tell each outcome, and exit with 1 if any failed.

    All ids are read first: a wrong one (exit 2) means that nothing was done. What concerns no
    single message, an unreachable store above all, ends the run with its own exit code.
    """
    from busctl.cli.running import emit_json, run, settings_for
    from busctl.core.ids import parse_id

    wanted = list(dict.fromkeys(parse_id(text) for text in ids))
    settings = settings_for(env_file, sets)
    outcomes: list[Outcome] = []

    async def work() -> None:
        from busctl.connect import Bus

        async with Bus.connect(settings) as bus:
            for one in wanted:
                outcomes.append(await _outcome(bus, one, step))
                if not as_json:
                    _tell(outcomes[-1], done)

    try:
        run(work())
    finally:
        if as_json and outcomes:
            emit_json({"outcomes": [_shape(one) for one in outcomes]})
    if any(one.error for one in outcomes):
        raise typer.Exit(1)


async def _outcome(bus: Bus, wanted: UUID, step: Step) -> Outcome:
    from busctl.core.errors import BusctlError

    try:
        return Outcome(wanted, await step(bus, wanted))
    except BusctlError as error:
        if error.exit_code != 1:
            raise
        return Outcome(wanted, error=error)


def _tell(outcome: Outcome, done: str) -> None:
    from busctl.cli.rendering import show_time
    from busctl.cli.running import report_error

    if outcome.error is not None:
        report_error(outcome.error, as_json=False)
    elif outcome.envelope is None:
        print(f"{outcome.transaction_id} {done}")
    else:
        envelope = outcome.envelope
        until = "kept until unpinned" if envelope.pinned else show_time(envelope.expires_at)
        print(f"{outcome.transaction_id} {done}, expires: {until}")


def _shape(outcome: Outcome) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "transaction_id": str(outcome.transaction_id),
        "ok": outcome.error is None,
    }
    if outcome.error is not None:
        error = outcome.error
        shape["error"] = {"code": error.code, "message": error.message, "remedy": error.remedy}
    elif outcome.envelope is not None:
        shape["expires_at"] = outcome.envelope.expires_at.isoformat()
        shape["pinned"] = outcome.envelope.pinned
    return shape
