"""Playing drills one after the other, each added up when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from busctl.core.errors import BusctlError, ConfigurationError
from busctl.core.operating.drill import INVARIANTS, Sum, add_up
from busctl.core.operating.finding import Finding, Report
from busctl.ops.drill.deployment import Deployment, Shape
from busctl.ops.drill.scene import CannotDrill, Drill, Scene
from busctl.ports import Clock

Make = Callable[[Shape], AbstractAsyncContextManager[Deployment]]


@dataclass(frozen=True)
class Played:
    """One drill and what it came to; `sum` is None when it was not played, `why` says why not."""

    drill: Drill
    sum: Sum | None
    seconds: float = 0.0
    recoveries: Sequence[float] = ()
    drained: Sequence[float] = ()
    notes: Sequence[str] = ()
    unreached: Sequence[str] = ()
    why: str = ""

    @property
    def complete(self) -> bool:
        """Whether everything was played that the drill has."""
        return self.sum is not None and not self.unreached

    def shape(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "name": self.drill.name,
            "played": self.sum is not None,
            "why_not": self.why,
            "points_not_reached": list(self.unreached),
            **({} if self.sum is None else self.sum.shape()),
            "recovery_seconds": [round(each, 3) for each in self.recoveries],
            "drained_seconds": [round(each, 3) for each in self.drained],
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "invariants": list(INVARIANTS) if self.sum is not None else [],
        }


@dataclass(frozen=True)
class DrillReport:
    """All of them. Exit 1 on any violation, 3 if any was not played whole."""

    seed: int
    played: Sequence[Played] = field(default_factory=list)

    @property
    def report(self) -> Report:
        sums = [one.sum for one in self.played if one.sum is not None]
        return Report(
            sum(each.attempted for each in sums),
            tuple(finding for each in sums for finding in each.violations),
        )

    @property
    def exit_code(self) -> int:
        if self.report.findings:
            return 1
        return 0 if self.report.checked and all(one.complete for one in self.played) else 3

    def shape(self) -> dict[str, Any]:
        """The JSON shape."""
        sums = [one.sum for one in self.played if one.sum is not None]
        shapes = [each.shape() for each in sums]
        counted = [key for key, value in (shapes or [{}])[0].items() if isinstance(value, int)]
        totals = {key: sum(shape[key] for shape in shapes) for key in counted}
        totals["named_errors"] = sum(sum(each.named_errors.values()) for each in sums)
        totals["violations"] = len(self.report.findings)
        recoveries = [each for one in self.played for each in one.recoveries]
        return {
            "seed": self.seed,
            "exit_code": self.exit_code,
            "totals": totals,
            "slowest_recovery_seconds": round(max(recoveries, default=0.0), 3),
            "drills": [one.shape() for one in self.played],
        }


async def run(
    drills: Sequence[Drill], make: Make, clock: Clock, *, messages: int, seed: int,
    own_server: bool = True,
    told: Callable[[Played], None] = lambda _: None,
    begins: Callable[[Drill], None] = lambda _: None,
) -> DrillReport:  # fmt: skip
    """Play them with that many messages in all. Drills of one shape share a deployment, unless one
    of them could not be ended as it should. Without an `own_server` what tampers with it is not
    played. Raises ConfigurationError."""
    played: list[Played] = []
    each, more = divmod(messages, len(drills))
    stack, deployment, shape = AsyncExitStack(), None, None
    try:
        for number, drill in enumerate(drills):
            begins(drill)
            began = clock.monotonic()
            try:
                if drill.needs_server and not own_server:
                    raise CannotDrill("It tampers with the server, which may be others' as well.")
                if deployment is None or shape != drill.shape:
                    deployment = None
                    await stack.aclose()
                    deployment = await stack.enter_async_context(make(drill.shape))
                    shape = drill.shape
                scene = Scene(drill.name, deployment, clock, each + (number < more), seed)
                one = await _played(scene, drill)
            except CannotDrill as error:
                one = Played(drill, None, why=error.message)
            except ConfigurationError:
                raise
            except BusctlError as error:
                deployment = None
                one = Played(drill, None, why=f"it broke off: {error.code}: {error.message}")
            played.append(replace(one, seconds=clock.monotonic() - began))
            told(played[-1])
    finally:
        await stack.aclose()
    return DrillReport(seed, played)


async def _played(scene: Scene, drill: Drill) -> Played:
    deployment = scene.deployment
    aside = await deployment.aside()
    await drill.play(scene)
    await scene.settled()
    # The spool first: a message goes from there into the store, never the other way.
    waiting = await deployment.waiting()
    kept = await deployment.kept(scene.sessions)
    found = add_up(scene.attempts, kept, waiting)
    more = [*scene.findings]
    set_aside = await deployment.aside() - aside
    if set_aside:
        message = f"{set_aside} files of the spool were set aside."
        more.append(Finding("set_aside", drill.name, message, "Look into its folder `aside`."))
    return Played(
        drill, replace(found, violations=[*found.violations, *more]),
        recoveries=scene.recoveries, drained=scene.drained, notes=scene.notes,
        unreached=scene.unreached,
    )  # fmt: skip
