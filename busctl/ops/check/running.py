"""Running checks: each one is judged, and one that cannot look is UNKNOWN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from busctl.core.errors import BusctlError
from busctl.core.operating.health import Fault, Grade, Health, Judgement, Kind, Seen, judge
from busctl.ops.check.connection import UNREACHABLE
from busctl.ops.check.registry import UNKNOWN
from busctl.ops.check.surroundings import Check, Surroundings


async def check(checks: Sequence[Check], around: Surroundings, kinds: Mapping[str, Kind]) -> Health:
    """Make those checks, one after the other: they share the connection that is there already."""
    began = around.clock.monotonic()
    judgements: list[Judgement] = []
    reached = around.facts is not None
    # Now: what is made on the way, beside other work, tells less.
    connect_ms = around.facts.line.connect_ms if around.facts else None
    for one in checks:
        judgement = await _judged(one, around if reached else replace(around, facts=None), kinds)
        judgements.append(judgement)
        # Nobody waits for the time-out of each check once one has found out.
        reached = reached and all(found.kind != UNREACHABLE for found in judgement.findings)
    return Health(
        tuple(judgements),
        connect_ms=connect_ms,
        reached=reached,
        seconds=around.clock.monotonic() - began,
    )


async def _judged(one: Check, around: Surroundings, kinds: Mapping[str, Kind]) -> Judgement:
    began = around.clock.monotonic()
    try:
        seen = await one.look(around)
    except (BusctlError, TimeoutError, OSError) as error:
        seen = _could_not_look(one, error)
    seconds = around.clock.monotonic() - began
    return replace(judge(one.name, seen, kinds), seconds=seconds)


def _could_not_look(one: Check, error: Exception) -> Seen:
    said = error.message if isinstance(error, BusctlError) else str(error) or type(error).__name__
    remedy = error.remedy if isinstance(error, BusctlError) else ""
    told = f"It could not look: {said}"
    fault = Fault(f"{one.name}.{UNKNOWN}", Grade.UNKNOWN, told, f"check {one.name}", remedy)
    return Seen(told, faults=(fault,))
