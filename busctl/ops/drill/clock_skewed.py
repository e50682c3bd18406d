"""Writers whose clock is off."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

from busctl.core.errors import BusctlError
from busctl.core.operating.drill import Attempt, Outcome, Plan
from busctl.core.samples import sample
from busctl.ops.drill.scene import Drill, Scene

SKEWS = (
    timedelta(hours=-20), timedelta(hours=-7), timedelta(minutes=-5), timedelta(minutes=5),
    timedelta(hours=7), timedelta(hours=20), timedelta(days=3), timedelta(days=-40),
)  # fmt: skip
"""Of an id given to a writer whose clock is right, the last two lie outside what is taken
(MESSAGE_BUS_HORIZON_HOURS ago to a day ahead)."""


async def play(scene: Scene) -> None:
    """Ids carry the writer's clock; the database's own is right."""
    session = f"{scene.name}-writers"
    scene.sessions.append(session)
    for number in range(max(2 * len(SKEWS), scene.messages)):
        skew = SKEWS[number % len(SKEWS)]
        plan = Plan(f"{session}-{number}", "json", 2_000, number)
        payload = sample(plan.kind, plan.size, plan.seed)
        attempt = Attempt(plan, sha256(payload).hexdigest())
        scene.attempts.append(attempt)
        try:
            known = await scene.deployment.put_as_if(
                payload, skew, session, plan.request_id, told=number // len(SKEWS) % 2 == 0
            )
        except BusctlError as error:
            attempt.outcome, attempt.code = Outcome.NAMED, error.code
        else:
            attempt.acknowledged.add(known)
            attempt.outcome = Outcome.INTACT
    await scene.recovered()


DRILL = Drill(
    "clock-skewed",
    "Writers whose clocks are minutes to weeks off store messages, and others are given ids from "
    "such times: an id carries its writer's time.",
    "What is stored is found, in a partition made for it; an id outside the horizon of a right "
    "clock is refused by name (OUTSIDE_HORIZON).",
    play,
)
