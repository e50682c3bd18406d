"""pg_terminate_backend at every point of a commit."""

from __future__ import annotations

import asyncio

from busctl.ops.drill.deployment import Line
from busctl.ops.drill.scene import Drill, Scene, nothing

SETTLE_SECS = 0.05
"""The server ends a session a moment after it was told to."""


async def play(scene: Scene) -> None:
    deployment = scene.deployment

    async def end(line: Line) -> None:
        await deployment.end_session(line.backend_pid)
        await asyncio.sleep(SETTLE_SECS)

    await scene.at_points(deployment.store_line, end, nothing)


DRILL = Drill(
    "session-ended",
    "The server's session is ended (pg_terminate_backend) at each point of a commit.",
    "A session that an administrator or a time-out ends costs no message and stores none twice.",
    play,
)
