"""SIGKILL of the daemon, at every point of a commit."""

from __future__ import annotations

from busctl.ops.drill.deployment import Line
from busctl.ops.drill.scene import DECISIVE, FAULT_SECS, Drill, Scene


async def play(scene: Scene) -> None:
    deployment = scene.deployment

    async def kill(_: Line) -> None:
        await deployment.kill_daemon()

    cure = deployment.start_daemon
    await scene.at_points(deployment.store_line, kill, cure, few=DECISIVE, share=scene.part(2, 3))
    await _with_the_store_away(scene, scene.part(1, 3))


async def _with_the_store_away(scene: Scene, messages: int) -> None:
    """What it has told from the spool must be there when the next daemon starts, without a store
    at first."""
    deployment, third = scene.deployment, max(1, messages // 3)
    async with scene.calls(messages) as callers:
        deployment.store_line.cut()
        await callers.release(third)
        await callers.settled(FAULT_SECS)
        await callers.release(third)
        await deployment.kill_daemon()
        await deployment.start_daemon()
        await callers.settled(FAULT_SECS)
        deployment.store_line.heal()
        scene.cured()


DRILL = Drill(
    "daemon-killed",
    "The daemon is killed (SIGKILL) at each point of a commit, and while it spools because the "
    "store is away; it is started again, callers connect anew and repeat their request.",
    "Nothing that a caller was told is lost with the daemon, and a repeated request is not stored "
    "twice.",
    play,
)
